-- A table with an index, filled, joined and emptied, in memory. The number of rows is
-- in a table of the caller's.
CREATE TABLE item (id INTEGER PRIMARY KEY, grp INTEGER, name TEXT, amount REAL);
CREATE INDEX item_grp ON item (grp, name);
INSERT INTO item
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < (SELECT rows FROM size))
  SELECT i, i * 7919 % 1000, 'name ' || (i * 104729 % 100003), i * 0.5 FROM n;
SELECT count(*), sum(length(name)) FROM item;
SELECT sum(total) FROM (SELECT grp, group_concat(name) AS names, sum(amount) AS total
  FROM item GROUP BY grp ORDER BY length(names), grp);
SELECT count(*) FROM item a JOIN item b ON b.grp = a.grp AND b.name = a.name;
DELETE FROM item WHERE grp % 2 = 0;
SELECT count(*), sum(amount) FROM item;
