-- Format 4. Runs that share a slot with others: the key of the slot, the order in which they came, and whether they have it. The
-- others wait, and their `wakes` is NULL.
CREATE TABLE slot (
    run INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    ticket INTEGER NOT NULL,
    held INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX slot_by_ticket ON slot (name, ticket);
CREATE UNIQUE INDEX slot_by_holder ON slot (name) WHERE held = 1;
