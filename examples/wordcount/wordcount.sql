-- The most frequent words of the last ten seconds, every five.
CREATE SOURCE lines FROM 'tcp://127.0.0.1:9999' FORMAT TEXT;

CREATE VIEW words AS
  SELECT explode(split(lower(value), '[^a-z]+')) AS word, arrival_time
  FROM lines;

SELECT window.start, window.end, word, count(*) AS n
FROM words
WHERE word <> ''
GROUP BY window(arrival_time, '10 seconds', '5 seconds'), word
ORDER BY n DESC, word
LIMIT 10;
