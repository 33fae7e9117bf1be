// The statements of a silver refresh, as text.
//
// One statement applies a range of bronze rows: it types and projects them, judges them, picks the
// last good change of each key, and upserts and deletes. What it says does not depend on how a
// history is cut into ranges. Order per key is the source's (epoch, commit_lsn, ordinal, part),
// kept in the target as source_position (bigint[], compared element by element). Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "medallion/model/silver_shape.hpp"

namespace bitvelocity::medallion {

// Quality rules as SQL. `source_failures` sees a row called source, `target_failures` one called
// target; the rest sees their concatenation as j.failures.
struct JudgeSql {
    std::string source_failures;
    std::string target_failures;
    std::string score;
    std::string passed;
    std::string issues;
    std::string rejected;
};

struct SilverTables {
    std::string bronze;  // "schema"."table"
    std::string target;
    std::string source_name;  // schema.table as bronze writes it; empty: the table holds one source
};

// What is to be read: (sequence, flags) of the next rows. $1: position, $2: number of rows, $3: no
// row whose commit_lsn is beyond this one (NULL: all), $4: highest position read so far.
// kNoRow: the event brings no version of the row.
enum EventFlag : int { kTruncate = 1, kPartial = 2, kKeyChange = 4, kLate = 8, kNoRow = 16 };
[[nodiscard]] std::string BoundSql(const SilverShape& shape, const SilverTables& tables);

// Applies rows $1 < sequence <= $2.
//   $3 boolean: return the keys that were changed        $4 jsonb: [{key, position}] of deleted
//   keys $5 bigint[]: truncated at                            $6 integer: processing version $7
//   jsonb: [{key, payload}] newer than the target     $8 bigint[]: highest position read so far $9
//   boolean: only what the events remove (deletions, old keys)   $10 bigint[]: events whose new
//   version is known to be refused: they only remove
// Returns rows (kind, a, b, event_id, position, key, payload, reasons, late):
//   S a: rows put, b: rows removed, position: the highest   Q a rejected row, a: its sequence
//   T a deleted key                                         K a changed key
// `partial`: updates may lack columns; they are completed from what is known of the row.
// `late`: $4 is looked at.
[[nodiscard]] std::string ApplySql(const SilverShape& shape, const SilverTables& tables,
                                   const JudgeSql& judge, bool partial, bool late);

// What the target table asks of a row, as far as an expression can tell.
struct TargetDemands {
    // Per output column: j.oN as an assignment would convert it.
    std::vector<std::string> values;
    // Conditions over the target's columns by their names; NULL passes.
    std::vector<std::string> conditions;
};

// Evaluates what ApplySql would of the rows $1 < sequence <= $2 whose columns are complete, one row
// after the other in this order, and changes nothing. Returns their numbers, so that the row at
// which PostgreSQL refuses a value is the first that did not come. With `demands` it also fails at
// rows that would reach the target and be refused there, with an error that says nothing.
[[nodiscard]] std::string ProbeSql(const SilverShape& shape, const SilverTables& tables,
                                   const JudgeSql& judge, const TargetDemands* demands);

// One event, for quarantine: $1 sequence. Returns (event_id, position, key, payload).
[[nodiscard]] std::string EventSql(const SilverShape& shape, const SilverTables& tables);

// JSON array of the keys, old and new, of the events $1 < sequence <= $2.
[[nodiscard]] std::string KeysSql(const SilverShape& shape, const SilverTables& tables);

// Whether the target has a newer row of a key: $1 jsonb payload, $2 bigint[] position.
[[nodiscard]] std::string NewerSql(const SilverShape& shape, const SilverTables& tables);

// Deletes what a TRUNCATE at $1 removed.
[[nodiscard]] std::string TruncateSql(const SilverTables& tables);

}  // namespace bitvelocity::medallion
