package expr_test

import "testing"

func TestLambdaFunctions(t *testing.T) {
	numbers := "[1,2,3] 10\n[] 20\nnull 30\n[4,null] null\n[5] 50"
	runCases(t, []exprCase{
		{"transform sees the columns of its row", "xs ARRAY<BIGINT>, n BIGINT", "(transform xs (-> x (+ x n)))", numbers, "[11,12,13]\n[]\nnull\n[null,null]\n[55]"},
		{"transform counts elements from 0", "xs ARRAY<BIGINT>", "(transform xs (-> x i (+ x (* 10 i))))", "[1,2,3]\n[]\nnull\n[4,null]", "[1,12,23]\n[]\nnull\n[4,null]"},
		{"transform to a constant", "xs ARRAY<BIGINT>", "(transform xs (-> x 7))", "[1,2]\nnull\n[]", "[7,7]\nnull\n[]"},
		{
			"transform within transform sees both parameters", "xss ARRAY<ARRAY<BIGINT>>, n BIGINT", "(transform xss (-> xs (transform xs (-> x (+ (+ x n) (size xs))))))",
			"[[1,2],[],null,[3]] 100\n[] 1\nnull 2\n[[null]] 3", "[[103,104],[],null,[104]]\n[]\nnull\n[[null]]",
		},
		{"transform of texts", "xs ARRAY<TEXT>, s TEXT", `(transform xs (-> x (concat x "-" s)))`, "[\"a\",\"bc\"] d\n[\"\"] \"\"\n[null] x", "[\"a-d\",\"bc-d\"]\n[\"-\"]\n[null]"},
		{"a row is bad where an element is", "xs ARRAY<BIGINT>", "(transform xs (-> x (/ 6 x)))", "[1,2]\n[3,0]\n[4]", "[6.0,3.0]\nbad: /: division by zero: 6 / 0\n[1.5]"},
		{"filter keeps what is true", "xs ARRAY<BIGINT>, n BIGINT", "(filter xs (-> x (> x n)))", "[1,2,3] 1\n[] 1\nnull 1\n[1,null,5] 2\n[1] null", "[2,3]\n[]\nnull\n[5]\n[]"},
		{"filter by place", "xs ARRAY<TEXT>", "(filter xs (-> x i (= (% i 2) 0)))", "[\"a\",\"b\",\"c\"]\n[null,\"b\"]", "[\"a\",\"c\"]\n[null]"},
		{"exists is NULL where it is not known", "xs ARRAY<BIGINT>", "(exists xs (-> x (> x 2)))", "[1,3]\n[1,2]\n[1,null]\n[3,null]\n[]\nnull", "true\nfalse\nnull\ntrue\nfalse\nnull"},
		{"forall is NULL where it is not known", "xs ARRAY<BIGINT>", "(forall xs (-> x (> x 2)))", "[4,3]\n[1,4]\n[4,null]\n[1,null]\n[]\nnull", "true\nfalse\nnull\nfalse\ntrue\nnull"},
		{"aggregate goes in order", "xs ARRAY<TEXT>, s TEXT", `(aggregate xs s (-> acc x (concat acc x)))`, "[\"a\",\"b\",\"c\"] z\n[] y\nnull x\n[\"a\",null] w\n[\"q\"] \"\"", "zabc\ny\nnull\nnull\nq"},
		{"aggregate finishes", "xs ARRAY<BIGINT>, n BIGINT", "(aggregate xs 0 (-> acc x (+ acc x)) (-> acc (* acc n)))", "[1,2,3] 10\n[] 5\nnull 1\n[7] null", "60\n0\nnull\nnull"},
		{"aggregate to a list", "xs ARRAY<BIGINT>", "(aggregate xs (array 0) (-> acc x (array_append acc (+ x (element_at acc -1)))))", "[1,2,3]\n[]\n[5]", "[0,1,3,6]\n[0]\n[0,5]"},
		{"aggregate has bad rows", "xs ARRAY<BIGINT>", "(aggregate xs 60 (-> acc x (div acc x)))", "[2,3]\n[2,0]\n[]", "10\nbad: div: division by zero: 30 div 0\n60"},
		{"zip_with pads with NULL", "xs ARRAY<BIGINT>, ys ARRAY<TEXT>", "(zip_with xs ys (-> x y (concat (coalesce y \"?\") (cast TEXT (coalesce x 0)))))", "[1,2] [\"a\"]\n[] []\n[1] null\n[1] [\"b\",\"c\"]", "[\"a1\",\"?2\"]\n[]\nnull\n[\"b1\",\"c0\"]"},
		{"array_sort by a lambda function", "xs ARRAY<TEXT>", "(array_sort xs (-> a b (- (length b) (length a))))", "[\"a\",\"ccc\",\"bb\",\"dd\",\"e\"]\n[]\nnull\n[\"x\"]\n[\"a\",\"bb\"]", "[\"ccc\",\"bb\",\"dd\",\"a\",\"e\"]\n[]\nnull\n[\"x\"]\n[\"bb\",\"a\"]"},
		{"array_sort by a lambda function that gives NULL", "xs ARRAY<BIGINT>", "(array_sort xs (-> a b (- a b)))", "[2,1]\n[1,null]\n[3]", "[1,2]\nbad: array_sort: the lambda function gives NULL for two elements\n[3]"},
		{"map_filter", "m MAP<TEXT,BIGINT>, n BIGINT", "(map_filter m (-> k v (> v n)))", "{\"a\":1,\"b\":5} 2\n{} 1\nnull 1\n{\"c\":null} 0", "{\"b\":5}\n{}\nnull\n{}"},
		{"transform_values", "m MAP<TEXT,BIGINT>", "(transform_values m (-> k v (concat k (cast TEXT v))))", "{\"a\":1,\"b\":5}\n{}\nnull\n{\"c\":null}", "{\"a\":\"a1\",\"b\":\"b5\"}\n{}\nnull\n{\"c\":null}"},
		{
			"transform_keys", "m MAP<TEXT,BIGINT>", "(transform_keys m (-> k v (+ v 1)))", "{\"a\":1,\"b\":5}\n{}\nnull\n{\"c\":null}\n{\"a\":1,\"b\":1}\n{\"z\":9}",
			"{\"2\":1,\"6\":5}\n{}\nnull\nbad: transform_keys: a key of a map is NULL\nbad: transform_keys: the key \"2\" is there twice\n{\"10\":9}",
		},
		{"map_zip_with", "a MAP<TEXT,BIGINT>, b MAP<TEXT,BIGINT>", "(map_zip_with a b (-> k x y (+ (coalesce x 0) (* 10 (coalesce y 0)))))", "{\"a\":1,\"b\":2} {\"b\":3,\"c\":4}\n{} {}\nnull {}", "{\"a\":1,\"b\":32,\"c\":40}\n{}\nnull"},
	})
}

func TestListsOfAnything(t *testing.T) {
	runCases(t, []exprCase{
		{"array of numbers", "a BIGINT, b DOUBLE", "(array a b)", "1 2.5\nnull 1\n1 null", "[1.0,2.5]\n[null,1.0]\n[1.0,null]"},
		{"array of lists", "xs ARRAY<BIGINT>", "(array xs xs)", "[1]\nnull\n[]", "[[1],[1]]\n[null,null]\n[[],[]]"},
		{"flatten", "xs ARRAY<ARRAY<TEXT>>", "(flatten xs)", "[[\"a\"],[],[\"b\",null]]\n[[\"a\"],null]\n[]\nnull", "[\"a\",\"b\",null]\nnull\n[]\nnull"},
		{"distinct lists and NaN", "xs ARRAY<ARRAY<DOUBLE>>", "(array_distinct xs)", "[[1],[1.0],[\"NaN\"],[\"NaN\"],[null],[null],[0],[-0.0],null,null]", "[[1.0],[\"NaN\"],[null],[0.0],null]"},
		{"distinct of many", "xs ARRAY<BIGINT>", "(array_distinct xs)", "[1,2,3,4,5,6,7,8,9,10,1,2,null,3,null,11]\n[1,1]", "[1,2,3,4,5,6,7,8,9,10,null,11]\n[1]"},
		{
			"contains a struct", "xs ARRAY<STRUCT<a:BIGINT,b:TEXT>>, x STRUCT<a:BIGINT,b:TEXT>", "(array_contains xs x)",
			"[{\"a\":1,\"b\":\"x\"}] {\"a\":1,\"b\":\"x\"}\n[{\"a\":1,\"b\":null}] {\"a\":1,\"b\":null}\n[{\"a\":1,\"b\":\"x\"},null] {\"a\":2,\"b\":\"x\"}\n[] {\"a\":2,\"b\":\"x\"}", "true\ntrue\nnull\nfalse",
		},
		{"comparison of lists goes by element, then by length", "a ARRAY<BIGINT>, b ARRAY<BIGINT>", "(< a b)", "[1,2] [1,3]\n[1] [1,0]\n[2] [1,9]\n[null] [1]\n[] []\nnull []", "true\ntrue\nfalse\ntrue\nfalse\nnull"},
		{"equality of structs", "a STRUCT<x:BIGINT,y:ARRAY<TEXT>>, b STRUCT<x:BIGINT,y:ARRAY<TEXT>>", "(= a b)", "{\"x\":1,\"y\":[\"a\"]} {\"x\":1,\"y\":[\"a\"]}\n{\"x\":1,\"y\":[]} {\"x\":1,\"y\":null}\n{\"x\":null,\"y\":null} {\"x\":null,\"y\":null}\nnull {\"x\":1,\"y\":[]}", "true\nfalse\ntrue\nnull"},
		{"greatest of lists", "a ARRAY<BIGINT>, b ARRAY<BIGINT>", "(greatest a b)", "[1,2] [1,3]\nnull [1]", "[1,3]\n[1]"},
		{"coalesce of structs", "a STRUCT<x:BIGINT,y:TEXT>, b STRUCT<x:BIGINT,y:TEXT>", "(coalesce a b)", "{\"x\":1,\"y\":\"s\"} null\nnull {\"x\":null,\"y\":\"t\"}\nnull null", "{\"x\":1,\"y\":\"s\"}\n{\"x\":null,\"y\":\"t\"}\nnull"},
		{"case of maps", "a MAP<TEXT,BIGINT>, ok BOOLEAN", "(case ok a)", "{\"x\":1} true\n{\"x\":1} false\nnull true", "{\"x\":1}\nnull\nnull"},
		{"sequence", "a BIGINT, b BIGINT", "(sequence a b)", "1 3\n3 1\n2 2\nnull 1", "[1,2,3]\n[3,2,1]\n[2]\nnull"},
		{
			"sequence with a step", "a BIGINT, b BIGINT, c BIGINT", "(sequence a b c)", "1 6 2\n5 1 -2\n1 2 0\n1 5 -1\n-9223372036854775808 9223372036854775807 9223372036854775807",
			"[1,3,5]\n[5,3,1]\nbad: sequence: a step of 0 does not lead from 1 to 2\nbad: sequence: a step of -1 does not lead from 1 to 5\n[-9223372036854775808,-1,9223372036854775806]",
		},
		{"arrays_zip", "xs ARRAY<BIGINT>, ys ARRAY<TEXT>", "(arrays_zip xs ys)", "[1,2] [\"a\"]\n[] []\nnull []", "[{\"xs\":1,\"ys\":\"a\"},{\"xs\":2,\"ys\":null}]\n[]\nnull"},
		{"array_repeat of NULL", "a BIGINT, n BIGINT", "(array_repeat a n)", "1 2\nnull 2\n1 0\n1 -1\n1 null", "[1,1]\n[null,null]\n[]\n[]\nnull"},
		{"an element that is not there", "xs ARRAY<BIGINT>, i BIGINT", "([] xs i)", "[1,2] 1\n[1] 1\n[null] 0\nnull 9", "2\nbad: []: there is no element 1 among 1\nnull\nnull"},
		{"element_at from both ends", "xs ARRAY<BIGINT>, i BIGINT", "(element_at xs i)", "[1,2] 1\n[1,2] -1\n[1] 0\n[1] 2", "1\n2\nbad: element_at: elements count from 1, or from -1 at the end: got 0\nbad: element_at: there is no element 2 among 1"},
	})
}

func TestMapsAndStructs(t *testing.T) {
	runCases(t, []exprCase{
		{"map", "k TEXT, v BIGINT", `(map k v "z" 0)`, "a 1\nnull 1\nz 5\nb null", "{\"a\":1,\"z\":0}\nbad: map: a key of a map is NULL\nbad: map: the key \"z\" is there twice\n{\"b\":null,\"z\":0}"},
		{"map_from_arrays", "ks ARRAY<BIGINT>, vs ARRAY<TEXT>", "(map_from_arrays ks vs)", "[1,2] [\"a\",null]\n[] []\n[1] []\n[null] [\"a\"]\nnull []", "{\"1\":\"a\",\"2\":null}\n{}\nbad: map_from_arrays: 1 keys have 0 values\nbad: map_from_arrays: a key of a map is NULL\nnull"},
		{"map_from_entries", "es ARRAY<STRUCT<k:TEXT,v:BIGINT>>", "(map_from_entries es)", "[{\"k\":\"a\",\"v\":1}]\n[]\n[{\"k\":\"a\",\"v\":1},null]\n[{\"k\":null,\"v\":1}]\nnull", "{\"a\":1}\n{}\nnull\nbad: map_from_entries: a key of a map is NULL\nnull"},
		{
			"keys, values and entries", "m MAP<TEXT,BIGINT>", "(struct (map_keys m) (map_values m) (map_entries m))", "{\"a\":1,\"b\":null}\n{}\nnull",
			"{\"col1\":[\"a\",\"b\"],\"col2\":[1,null],\"col3\":[{\"key\":\"a\",\"value\":1},{\"key\":\"b\",\"value\":null}]}\n{\"col1\":[],\"col2\":[],\"col3\":[]}\n{\"col1\":null,\"col2\":null,\"col3\":null}",
		},
		{"map_concat", "a MAP<TEXT,BIGINT>, b MAP<TEXT,BIGINT>", "(map_concat a b)", "{\"a\":1} {\"b\":2}\n{\"a\":1} {\"a\":2}\n{} {}\nnull {}", "{\"a\":1,\"b\":2}\nbad: map_concat: the key \"a\" is there twice\n{}\nnull"},
		{"the value of a key", "m MAP<TEXT,BIGINT>, k TEXT", "([] m k)", "{\"a\":1,\"b\":2} b\n{\"a\":1} x\n{\"a\":null} a\nnull a\n{} null", "2\nnull\nnull\nnull\nnull"},
		{"map_contains_key", "m MAP<TEXT,BIGINT>, k TEXT", "(map_contains_key m k)", "{\"a\":1,\"b\":2} b\n{\"a\":1} x\nnull a", "true\nfalse\nnull"},
		{"size of a map", "m MAP<TEXT,BIGINT>", "(size m)", "{\"a\":1,\"b\":2}\n{}\nnull", "2\n0\nnull"},
		{"a field of a struct that is NULL", "s STRUCT<a:BIGINT,b:TEXT>", `(. s "b")`, "{\"a\":1,\"b\":\"x\"}\nnull\n{\"a\":2,\"b\":null}", "x\nnull\nnull"},
		{"a field of each struct of a list", "s ARRAY<STRUCT<a:BIGINT,b:TEXT>>", `(. s "a")`, "[{\"a\":1,\"b\":\"x\"},null]\nnull\n[]", "[1,null]\nnull\n[]"},
		{"named_struct", "a BIGINT, s TEXT", `(named_struct "x" a "y" s)`, "1 t\nnull null", "{\"x\":1,\"y\":\"t\"}\n{\"x\":null,\"y\":null}"},
	})
}
