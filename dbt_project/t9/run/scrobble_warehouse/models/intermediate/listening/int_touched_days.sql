drop table if exists "new"."intermediate"."int_touched_days";
create table "new"."intermediate"."int_touched_days" (built_through bigint, listener_id text, scrobbled_date date)