// SPDX-License-Identifier: Apache-2.0
// The front of the stack that tally is compared with: Express takes events, pushes them to a Redis list and answers when
// Redis has. usage: node front.js PORT REDIS_PORT   (NODE_PATH leads to express and ioredis)
'use strict';
const express = require('express');
const Redis = require('ioredis');

const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = new Redis(redisPort);
const app = express();
app.use(express.json({ limit: '1mb' }));
app.post('/e', async (request, response) => {
	const events = Array.isArray(request.body) ? request.body : [request.body];
	await redis.rpush('events', ...events.map(e => JSON.stringify(e)));
	response.status(204).end();
});
app.listen(port, '127.0.0.1');
