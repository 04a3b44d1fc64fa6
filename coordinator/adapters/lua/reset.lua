--[[
Start the ledger of one upload anew, empty.

KEYS[1]   head of the upload: hash of tenant, user, phase, total, generation, automatic
KEYS[2..] everything else that the ledger may hold of it
ARGV[1]   time to live in milliseconds
ARGV[2..] the head's fields and values, in turn

Returns   'reset'
]]
redis.call('DEL', unpack(KEYS))
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 'reset'
