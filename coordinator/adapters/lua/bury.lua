--[[
Drop the ledger of an upload that is being erased, keep it from coming back, and hint at it.

KEYS[1]   tombstone: stands while an upload is being erased, and for a while after it
KEYS[2]   head of the upload
KEYS[3..] everything else that the ledger may hold of it
ARGV[1]   how long the tombstone stands, in milliseconds

Returns   {'buried'}
]]
redis.call('DEL', unpack(KEYS))
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
redis.call('PUBLISH', (KEYS[2]:gsub(':head$', ':changes')), 'state')
return {'buried'}
