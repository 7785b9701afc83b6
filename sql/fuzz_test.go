package sql_test

import (
	"testing"

	"github.com/tidemill/tidemill/sql"
)

// FuzzParse checks that no text makes the parser panic, and that what it prints is parsed to the same tree.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"SELECT word, count(*) AS n FROM words GROUP BY window(arrival_time, '30 seconds', '10 seconds'), word ORDER BY n DESC LIMIT 10;",
		"CREATE SOURCE s (ts BIGINT, at AS timestamp_millis(ts), WATERMARK FOR at AS at - INTERVAL '1 second') FROM 'file:x' FORMAT JSON WITH (a.b = -1, c = 'd')",
		"CREATE VIEW v AS WITH a AS (SELECT * FROM b) SELECT a.*, x::TEXT y FROM a UNION ALL (SELECT 1 FROM c LIMIT 1) ORDER BY 1 NULLS LAST",
		"CREATE SINK k INTO \"file:y\" WITH (mode = 'update') AS SELECT CASE x WHEN 1 THEN 'it''s' ELSE r'\\d' END FROM t HAVING count(*) > 1",
		"SELECT - -1 + -9223372036854775808 - (-2.5e-3D) * 3L % 4 DIV 5 || 'a\\n\\u00e4' <=> NULL AND NOT a NOT IN (1, 2) OR ! b IS NOT TRUE FROM `t``x`",
		"SELECT window, end, user, timestamp, TIMESTAMP '2026-01-01 00:00:00', INTERVAL -5 MINUTES 3 SECONDS, window(t, '1 day').start FROM s -- c\n/* d */ WHERE a BETWEEN 1 AND 2 AND b NOT LIKE 'x%'",
		"SELECT a.*, b.window.end FROM a AS x INNER JOIN b y ON x.k = y.k AND x.t BETWEEN y.t AND y.t + INTERVAL '1 day' LEFT JOIN c USING (k, `l m`)",
		"SELECT 1 FROM a RIGHT OUTER JOIN (SELECT 2 FROM b) q ON a.window = q.window FULL JOIN c USING (k) CROSS JOIN d SEMI JOIN e ON TRUE LEFT ANTI JOIN f ON x",
		"CREATE TABLE u (id BIGINT, `a b` TEXT) FROM 'lookup:u' FORMAT CSV WITH (refresh = 'on change'); SELECT 1 FROM s LEFT JOIN u ON k = id",
		"SELECT 1 FROM o JOIN r FOR SYSTEM_TIME AS OF o.t + INTERVAL '1 second' AS r ON o.k = r.k",
		"SELECT negative(1), - (x), div(a, b), mod(a, b) FROM s WHERE is_null IS NOT NULL ORDER BY a IS FALSE",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		script, err := sql.Parse(text)
		if err != nil {
			if list, ok := err.(sql.Errors); !ok || len(list) == 0 || list.Detail() == "" {
				t.Fatalf("parse %q: want Errors, got %T", text, err)
			}
			return
		}
		printed := script.String()
		again, err := sql.Parse(printed)
		if err != nil {
			t.Fatalf("parse %q, printed as %q: %v", text, printed, err)
		}
		if got := again.String(); got != printed {
			t.Fatalf("parse %q: printed first %q, then %q", text, printed, got)
		}
	})
}
