--[[
Forget chunks that S3 turned out not to hold; hint to watchers that the upload has moved on.

KEYS[1]   head of the upload
KEYS[2]   bitmap of uploaded chunks
ARGV[1..] indexes

Returns   'cleared' | 'miss' when nothing is known of the upload
]]
redis.call('PUBLISH', (KEYS[1]:gsub(':head$', ':changes')), 'state')
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'miss'
end
for i = 1, #ARGV do
  redis.call('SETBIT', KEYS[2], ARGV[i], 0)
end
return 'cleared'
