-- The tables of queue and store, version 1 (PRAGMA user_version).

-- Numbers that are never given out twice: they name messages and versions of values.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters VALUES ('message', 0), ('version', 0);

CREATE TABLE kv (
    key TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    value BLOB NOT NULL
);

-- A lane is what is received in order: a group of an ordered queue, or one message of another queue.
-- It exists while it has messages. Nothing of it is received before `ready_at`; `head` is the number
-- of its first message.
CREATE TABLE lanes (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    grp TEXT NOT NULL,
    ready_at INTEGER NOT NULL,
    head INTEGER NOT NULL
);
CREATE INDEX lanes_by_group ON lanes (queue, grp);
CREATE INDEX lanes_by_turn ON lanes (queue, ready_at, head);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    body TEXT NOT NULL
);
-- Holds all but the body, so that counting and looking at the head of a lane read no table.
CREATE INDEX messages_by_lane ON messages (lane, id, visible_at, receives, sent_at);
CREATE INDEX messages_received ON messages (lane, visible_at) WHERE receives > 0;

CREATE TABLE deduplication (
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    ends_at INTEGER NOT NULL,
    UNIQUE (queue, id)
);
CREATE INDEX deduplication_by_end ON deduplication (ends_at);

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    grp TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    died_at INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX dead_letters_by_queue ON dead_letters (queue, id);
