--[[
Forget chunks that S3 turned out not to hold.

KEYS[1]   head of the upload
KEYS[2]   bitmap of uploaded chunks
ARGV[1..] indexes

Returns   'cleared' | 'miss' when nothing is known of the upload
]]
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'miss'
end
for i = 1, #ARGV do
  redis.call('SETBIT', KEYS[2], ARGV[i], 0)
end
return 'cleared'
