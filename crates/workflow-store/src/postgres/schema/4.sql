-- Runs that share a slot with others, by the key of the slot. The first of them has it; the others wait, and their `wakes` is
-- NULL. Whoever changes `runs` locks the row, and reads it with a later statement.
CREATE TABLE @.slot (
    name text COLLATE "C" PRIMARY KEY,
    runs text[] COLLATE "C" NOT NULL          -- ids, in the order of creation
);

-- The slot of a run that has not ended.
ALTER TABLE @.run ADD COLUMN slot text COLLATE "C";
