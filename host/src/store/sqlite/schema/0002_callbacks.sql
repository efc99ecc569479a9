-- The hosts that the domain's callbacks may send requests to: a JSON list.
ALTER TABLE domain ADD COLUMN web TEXT NOT NULL DEFAULT '[]';

-- Few deliveries die, and their owners look for them among all the others. The state is a column of the index too, since
-- the planner would take the larger one otherwise.
CREATE INDEX delivery_dead ON delivery (domain, state) WHERE state = 'DEAD';
