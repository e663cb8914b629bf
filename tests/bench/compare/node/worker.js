// SPDX-License-Identifier: Apache-2.0
// The worker of the stack that tally is compared with: from a Redis list into MariaDB, a row an event and a counter a
// day, name and page. usage: node worker.js each|batch REDIS_PORT DB_SOCKET EVENTS   (NODE_PATH: ioredis, mysql2)
//   each   pops one, inserts one, counts one, each awaited
//   batch  pops 500, one INSERT of many rows and one of summed counters, in one transaction
// Ends once EVENTS are stored; prints what came of it as JSON.
'use strict';
const Redis = require('ioredis');
const mysql = require('mysql2/promise');

const [mode, redisPort, socketPath, wanted] = process.argv.slice(2);
const ROWS = 'INSERT INTO node_event (id, time, name, page, visitor, props) VALUES ';
const COUNTERS = 'INSERT INTO node_count (day, name, page, events) VALUES ';
const ADD = ' ON DUPLICATE KEY UPDATE events = events + VALUES(events)';
const TABLES = `CREATE DATABASE IF NOT EXISTS bench; USE bench;
	DROP TABLE IF EXISTS node_event; DROP TABLE IF EXISTS node_count;
	CREATE TABLE node_event (id CHAR(21) PRIMARY KEY, time DATETIME(6) NOT NULL, name VARCHAR(32) NOT NULL,
		page VARCHAR(512) NOT NULL, visitor BINARY(16) NOT NULL, props JSON) ENGINE=InnoDB;
	CREATE TABLE node_count (day DATE, name VARCHAR(32), page VARCHAR(255), events BIGINT,
		PRIMARY KEY (day, name, page)) ENGINE=InnoDB`;

const day = time => new Date(time).toISOString().slice(0, 10);
const row = e => [e.id, new Date(e.time), e.name, e.page, Buffer.from(e.visitor, 'hex'), JSON.stringify(e.props)];

async function storeOne(redis, db) {
	const popped = await redis.blpop('events', 1);
	if (!popped)
		return 0;
	const e = JSON.parse(popped[1]);
	await db.execute(ROWS + '(?,?,?,?,?,?)', row(e));
	await db.execute(COUNTERS + '(?,?,?,1)' + ADD, [day(e.time), e.name, e.page]);
	return 1;
}

async function storeMany(redis, db) {
	const texts = await redis.lpop('events', 500);
	if (!texts) {
		await new Promise(done => setTimeout(done, 5));
		return 0;
	}
	const events = texts.map(t => JSON.parse(t)), counts = new Map();
	for (const e of events) {
		const key = [day(e.time), e.name, e.page].join('\0');
		counts.set(key, (counts.get(key) || 0) + 1);
	}
	await db.query('START TRANSACTION');
	await db.query(ROWS + '?', [events.map(row)]);
	await db.query(COUNTERS + '?' + ADD, [[...counts].map(([key, n]) => [...key.split('\0'), n])]);
	await db.query('COMMIT');
	return events.length;
}

async function main() {
	const db = await mysql.createConnection({ socketPath, user: 'root', multipleStatements: true });
	const redis = new Redis(Number(redisPort));
	await db.query(TABLES);
	console.log('ready');
	let events = 0, began = 0n, before;
	while (events < Number(wanted)) {
		if (events === 0) {         // the clock runs from the last look at an empty list
			began = process.hrtime.bigint();
			before = process.cpuUsage();
		}
		events += await (mode === 'each' ? storeOne : storeMany)(redis, db);
	}
	const seconds = Number(process.hrtime.bigint() - began) / 1e9, cpu = process.cpuUsage(before);
	console.log(JSON.stringify({ events, seconds, cpu_us: cpu.user + cpu.system }));
	process.exit(0);
}

main();
