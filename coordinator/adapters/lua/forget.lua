--[[
Drop the ledger of an upload that has moved on, and hint at that to watchers.

KEYS[1]   head of the upload
KEYS[2..] everything else that the ledger may hold of it

Returns   {'forgotten'}
]]
redis.call('DEL', unpack(KEYS))
redis.call('PUBLISH', (KEYS[1]:gsub(':head$', ':changes')), 'state')
return {'forgotten'}
