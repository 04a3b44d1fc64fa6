--[[
Start the ledger of one upload anew, empty.

KEYS[1]   tombstone: stands while an upload is being erased, and for a while after it
KEYS[2]   head of the upload: hash of tenant, user, phase, total, generation, automatic
KEYS[3..] everything else that the ledger may hold of it
ARGV[1]   time to live in milliseconds
ARGV[2..] the head's fields and values, in turn

Returns   'reset' | 'erased' when nothing may be known of it any more
]]
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'erased'
end
redis.call('DEL', unpack(KEYS))
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 'reset'
