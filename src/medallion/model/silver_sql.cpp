#include "medallion/model/silver_sql.hpp"

#include "core/sql_text.hpp"

namespace bitvelocity::medallion {

using core::Join;
using core::QuoteName;
using core::QuoteText;

namespace {

constexpr const char* kPosition =
    "ARRAY[coalesce(b.source_epoch, 0)::bigint, coalesce(b.commit_lsn - '0/0'::pg_lsn, 0)::bigint, "
    "coalesce(b.ordinal, 0)::bigint, coalesce(b.part, 0)::bigint]";

// jsonb array of the key's values in a payload.
std::string KeyJson(const SilverShape& shape, const std::string& payload) {
    std::vector<std::string> values;
    for (const std::string& column : shape.key_source) {
        values.push_back(payload + " -> " + QuoteText(column));
    }
    return "jsonb_build_array(" + Join(values, ", ") + ")";
}

std::string NameArray(const std::vector<std::string>& names) {
    std::vector<std::string> quoted;
    for (const std::string& name : names) {
        quoted.push_back(QuoteText(name));
    }
    return "ARRAY[" + Join(quoted, ", ") + "]::text[]";
}

std::string NeededArray(const SilverShape& shape) {
    std::vector<std::string> names;
    for (const SourceColumn& column : shape.source) {
        if (column.needed) {
            names.push_back(column.name);
        }
    }
    return NameArray(names);
}

std::string TypeOf(const SilverShape& shape, const std::string& source_column) {
    for (const SourceColumn& column : shape.source) {
        if (column.name == source_column) {
            return column.type;
        }
    }
    return "text";
}

// Column definition list of the key, as jsonb_to_record takes it: k1 type, ... is not possible
// there (names are the members'), so the members keep their names.
std::string KeyDefinition(const SilverShape& shape) {
    std::vector<std::string> list;
    for (const std::string& column : shape.key_source) {
        list.push_back(QuoteName(column) + " " + TypeOf(shape, column));
    }
    return Join(list, ", ");
}

std::string KeyColumns(const SilverShape& shape, const std::string& row) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < shape.key.size(); ++i) {
        list.push_back(row + "." + QuoteName(shape.key_source[i]) + " AS k" +
                       std::to_string(i + 1));
    }
    return Join(list, ", ");
}

std::string KeyNames(const SilverShape& shape, const std::string& prefix = {}) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < shape.key.size(); ++i) {
        list.push_back(prefix + "k" + std::to_string(i + 1));
    }
    return Join(list, ", ");
}

// target.key = row.kN
std::string KeyMatch(const SilverShape& shape, const std::string& target, const std::string& row) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < shape.key.size(); ++i) {
        list.push_back(target + "." + QuoteName(shape.key[i]) + " = " + row + ".k" +
                       std::to_string(i + 1));
    }
    return Join(list, " AND ");
}

std::string KeyNotNull(const SilverShape& shape, const std::string& row) {
    std::vector<std::string> list;
    for (const std::string& column : shape.key_source) {
        list.push_back(row + "." + QuoteName(column) + " IS NOT NULL");
    }
    return Join(list, " AND ");
}

std::string KeyChanged(const SilverShape& shape, const std::string& payload,
                       const std::string& before) {
    return "(" + before + " ?& " + NameArray(shape.key_source) + " AND " + KeyJson(shape, before) +
           " <> " + KeyJson(shape, payload) + ")";
}

std::string SourceFilter(const SilverTables& tables) {
    return tables.source_name.empty() ? "" : " AND b.table_name = " + QuoteText(tables.source_name);
}

std::string EventColumns() {
    return std::string(
               "b.sequence, b.event_id, b.operation_type AS op, b.event_timestamp, "
               "b.raw_payload AS payload, b.before_payload AS before, ") +
           kPosition + " AS position";
}

std::string EventCte(const SilverTables& tables) {
    return "event AS MATERIALIZED (SELECT " + EventColumns() + " FROM " + tables.bronze +
           " b WHERE b.sequence > $1 AND b.sequence <= $2 AND b.operation_type <> 'TRUNCATE'" +
           SourceFilter(tables) + ")";
}

// The row of the target as a payload: the columns it copies unchanged.
std::string TargetPayload(const SilverShape& shape) {
    std::vector<std::string> members;
    for (const OutputColumn& column : shape.output) {
        if (!column.source.empty() && column.cast.empty()) {
            members.push_back(QuoteText(column.source) + "::text, t." + QuoteName(column.name));
        }
    }
    return "jsonb_build_object(" + Join(members, ", ") + ")";
}

// Updates that lack columns (a value stored out of line that the update left alone) take them from
// the row before: an earlier event of the range, else the newest version known ($7: in quarantine),
// else the target.
std::string CompletedEventCte(const SilverShape& shape, const SilverTables& tables) {
    const std::string old_key =
        KeyJson(shape, "(CASE WHEN b.before_payload ?& " + NameArray(shape.key_source) +
                           " THEN b.before_payload ELSE b.raw_payload END)");
    return "raw_event AS MATERIALIZED (SELECT " + EventColumns() + ", " + old_key +
           " AS old_key, CASE WHEN b.before_payload ?& " + NameArray(shape.key_source) +
           " THEN b.before_payload ELSE b.raw_payload END AS key_payload FROM " + tables.bronze +
           " b WHERE b.sequence > $1 AND b.sequence <= $2 AND b.operation_type <> 'TRUNCATE'" +
           SourceFilter(tables) +
           "), known AS (SELECT d.key AS old_key, d.payload FROM jsonb_to_recordset($7) "
           "AS d(key jsonb, payload jsonb)), "
           "keyset AS (SELECT DISTINCT ON (e.old_key) e.old_key, " +
           KeyColumns(shape, "r") +
           " FROM raw_event e CROSS JOIN LATERAL jsonb_to_record(e.key_payload) AS r(" +
           KeyDefinition(shape) +
           ") WHERE e.op = 'UPDATE'), "
           "base AS (SELECT old_key, payload FROM known UNION ALL SELECT s.old_key, " +
           TargetPayload(shape) + " FROM keyset s JOIN " + tables.target + " t ON " +
           KeyMatch(shape, "t", "s") +
           " WHERE s.old_key NOT IN (SELECT old_key FROM known)), "
           "event AS MATERIALIZED (SELECT sequence, event_id, op, event_timestamp, "
           "CASE WHEN op = 'UPDATE' THEN merged ELSE payload END AS payload, before, position FROM "
           "(SELECT x.*, bitvelocity.fold_payload(x.payload, x.op <> 'UPDATE') OVER "
           "(PARTITION BY x.old_key ORDER BY x.nth, x.position, x.sequence) AS merged FROM "
           "(SELECT 1 AS nth, e.sequence, e.event_id, e.op, e.event_timestamp, "
           "CASE WHEN e.op = 'UPDATE' THEN coalesce(e.before, '{}') || e.payload ELSE e.payload "
           "END "
           "AS payload, e.before, e.position, e.old_key FROM raw_event e "
           "UNION ALL SELECT 0, NULL, NULL, 'BASE', NULL, base.payload, NULL, NULL, base.old_key "
           "FROM base) x) y WHERE nth = 1)";
}

std::string Quoted(const std::vector<SourceColumn>& columns) {
    std::vector<std::string> list;
    for (const SourceColumn& column : columns) {
        list.push_back(QuoteName(column.name) + " " + column.type);
    }
    return Join(list, ", ");
}

// The typed row called source, with the payload itself where no column has that name.
std::string SourceRow(const SilverShape& shape) {
    std::vector<std::string> list;
    bool has_payload = false;
    bool has_timestamp = false;
    for (const SourceColumn& column : shape.source) {
        list.push_back("r." + QuoteName(column.name));
        has_payload |= column.name == "raw_payload";
        has_timestamp |= column.name == "event_timestamp";
    }
    if (!has_payload) {
        list.push_back("e.payload AS raw_payload");
    }
    if (!has_timestamp) {
        list.push_back("e.event_timestamp");
    }
    return "(SELECT " + Join(list, ", ") + " FROM jsonb_to_record(e.payload) AS r(" +
           Quoted(shape.source) + ")) source";
}

std::string OutputNames(const SilverShape& shape) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < shape.output.size(); ++i) {
        list.push_back("o" + std::to_string(i + 1));
    }
    return Join(list, ", ");
}

std::string OutputCasts(const SilverShape& shape) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < shape.output.size(); ++i) {
        const std::string name = "o" + std::to_string(i + 1);
        const std::string& cast = shape.output[i].cast;
        list.push_back(cast.empty()         ? "q." + name
                       : cast == "via text" ? "CAST(CAST(q." + name + " AS text) AS " +
                                                  shape.output[i].type + ") AS " + name
                                            : "CAST(q." + name + " AS " + cast + ") AS " + name);
    }
    return Join(list, ", ");
}

// Events of an UPDATE in which columns are missing that the query reads.
std::string MissingColumns(const SilverShape& shape) {
    return "CASE WHEN e.op = 'UPDATE' THEN array(SELECT c FROM unnest(" + NeededArray(shape) +
           ") c WHERE NOT e.payload ? c) ELSE '{}'::text[] END";
}

// Every expression of the rows' authors: types, query, casts, rules. `columns` stand before and
// behind what it returns; e: the events.
struct Judgement {
    std::string columns;
    std::string from;
};

Judgement Judge(const SilverShape& shape, const JudgeSql& judge) {
    const std::string join = shape.may_filter ? " LEFT JOIN LATERAL " : " CROSS JOIN LATERAL ";
    std::vector<std::string> target_row;
    for (std::size_t i = 0; i < shape.output.size(); ++i) {
        target_row.push_back("o.o" + std::to_string(i + 1) + " AS " +
                             QuoteName(shape.output[i].name));
    }
    std::string failures;
    if (!judge.source_failures.empty()) {
        failures = "(SELECT " + judge.source_failures + " FROM (SELECT source.*) source)";
    }
    if (!judge.target_failures.empty()) {
        failures += (failures.empty() ? "" : " || ") + std::string("(SELECT ") +
                    judge.target_failures + " FROM (SELECT " + Join(target_row, ", ") + ") target)";
    }
    Judgement judgement;
    judgement.columns = KeyColumns(shape, "source") + ", " + OutputNames(shape) +
                        ", coalesce(o.present, false) AS present, " +
                        (failures.empty() ? "NULL::boolean[]" : failures) + " AS failures";
    judgement.from = "e CROSS JOIN LATERAL " + SourceRow(shape) + join +
                     "(SELECT true AS present, " + OutputCasts(shape) +
                     " FROM (WITH source AS (SELECT source.*) " + shape.query + ") AS q(" +
                     OutputNames(shape) + ")) o" + (shape.may_filter ? " ON true" : "") +
                     " WHERE e.op IN ('INSERT', 'UPDATE', 'READ')";
    return judgement;
}

std::string JudgedCte(const SilverShape& shape, const JudgeSql& judge, bool partial) {
    const Judgement judgement = Judge(shape, judge);
    return "judged AS MATERIALIZED (SELECT e.sequence, e.event_id, e.position, e.payload, " +
           judgement.columns + ", " + (partial ? MissingColumns(shape) : "'{}'::text[]") +
           " AS missing, " +
           (shape.may_repeat ? "count(*) OVER (PARTITION BY e.sequence) > 1" : "false") +
           " AS repeated FROM event " + judgement.from +
           " AND NOT $9 AND e.sequence <> ALL (coalesce($10, '{}')))";
}

// Rows that must not reach the target.
std::string Bad(const JudgeSql& judge) {
    return "(j.present AND (j.missing <> '{}' OR j.repeated OR " + judge.rejected + "))";
}

std::string DroppedCte(const SilverShape& shape) {
    std::string sql =
        "dropped AS (SELECT e.sequence, e.position, " +
        KeyJson(shape, "coalesce(e.before, e.payload)") + " AS key, " + KeyColumns(shape, "r") +
        " FROM event e CROSS JOIN LATERAL jsonb_to_record(coalesce(e.before, "
        "e.payload)) AS r(" +
        KeyDefinition(shape) + ") WHERE (e.op = 'DELETE' OR (e.op = 'UPDATE' AND " +
        KeyChanged(shape, "e.payload", "e.before") + ")) AND " + KeyNotNull(shape, "r");
    if (shape.may_filter) {
        sql += " UNION ALL SELECT j.sequence, j.position, " + KeyJson(shape, "j.payload") + ", " +
               KeyNames(shape, "j.") + " FROM judged j WHERE NOT j.present";
    }
    return sql + ")";
}

std::string LatestKey(const SilverShape& shape, const std::string& row) {
    return "CASE WHEN " + row + ".put THEN " + KeyJson(shape, row + ".payload") + " ELSE " + row +
           ".dropped END";
}

// One row per key, the newest: of a good version all columns, of a removal the key. No join of
// these intermediate results anywhere: without statistics the planner would nest loops.
std::string LatestCte(const SilverShape& shape, const JudgeSql& judge, bool late) {
    std::vector<std::string> nothing(shape.output.size(), "NULL");
    std::string sql =
        "latest AS MATERIALIZED (SELECT DISTINCT ON (" + KeyNames(shape) + ") * FROM (SELECT " +
        KeyNames(shape, "j.") +
        ", j.position, j.sequence, true AS put, NULL::jsonb AS dropped, j.event_id, j.payload, "
        "j.failures, " +
        OutputNames(shape) + " FROM judged j WHERE j.present AND NOT " + Bad(judge) +
        " UNION ALL SELECT " + KeyNames(shape, "d.") +
        ", d.position, d.sequence, false, d.key, NULL, NULL, NULL, " + Join(nothing, ", ") +
        " FROM dropped d) a WHERE a.position > coalesce($5, '{}')";
    if (late) {
        sql +=
            " AND NOT EXISTS (SELECT FROM jsonb_to_recordset($4) AS g(key jsonb, position "
            "bigint[]) WHERE g.key = " +
            LatestKey(shape, "a") + " AND g.position >= a.position)";
    }
    return sql + " ORDER BY " + KeyNames(shape) + ", position DESC, sequence DESC)";
}

std::string PutCte(const SilverShape& shape, const SilverTables& tables, const JudgeSql& judge) {
    std::vector<std::string> columns;
    std::vector<std::string> updates;
    for (const OutputColumn& column : shape.output) {
        columns.push_back(QuoteName(column.name));
    }
    for (const auto& column : kQualityColumns) {
        columns.push_back(QuoteName(column[0]));
    }
    for (const std::string& column : columns) {
        updates.push_back(column + " = excluded." + column);
    }
    std::vector<std::string> key;
    for (const std::string& column : shape.key) {
        key.push_back(QuoteName(column));
    }
    // The verdict's expressions speak of j.failures.
    return "put AS (INSERT INTO " + tables.target + " AS t (" + Join(columns, ", ") + ") SELECT " +
           OutputNames(shape) + ", " + judge.score + ", " + judge.passed + ", " + judge.issues +
           ", j.event_id, j.sequence, j.position, now(), $6 FROM latest j WHERE j.put "
           "ON CONFLICT (" +
           Join(key, ", ") + ") DO UPDATE SET " + Join(updates, ", ") +
           " WHERE t.source_position IS NULL OR t.source_position < excluded.source_position "
           "RETURNING 1)";
}

std::string RemovedCte(const SilverShape& shape, const SilverTables& tables) {
    return "removed AS (DELETE FROM " + tables.target + " t USING latest l WHERE NOT l.put AND " +
           KeyMatch(shape, "t", "l") +
           " AND (t.source_position IS NULL OR t.source_position < l.position) RETURNING 1)";
}

std::string ResultRows(const SilverShape& shape, const JudgeSql& judge) {
    return "SELECT 'S' AS kind, (SELECT count(*) FROM put) AS a, (SELECT count(*) FROM removed) AS "
           "b, "
           "NULL::uuid AS event_id, (SELECT max(position) FROM event) AS position, "
           "NULL::jsonb AS key, NULL::jsonb AS payload, NULL::text[] AS reasons, false AS late "
           "UNION ALL (SELECT DISTINCT ON (j.sequence) 'Q', j.sequence, NULL, j.event_id, "
           "j.position, " +
           KeyJson(shape, "j.payload") +
           ", j.payload, CASE WHEN j.missing <> '{}' THEN ARRAY['values of unchanged columns are "
           "not in the event: ' || array_to_string(j.missing, ', ')] WHEN j.repeated THEN "
           "ARRAY['the query returns several rows for this row'] ELSE " +
           judge.issues + " END, j.position < coalesce($8, '{}') FROM judged j WHERE " +
           Bad(judge) +
           ") UNION ALL SELECT 'T', NULL, NULL, NULL, l.position, l.dropped, NULL, NULL, false "
           "FROM latest l WHERE NOT l.put "
           "UNION ALL SELECT 'K', NULL, NULL, NULL, l.position, " +
           LatestKey(shape, "l") +
           ", NULL, NULL, false FROM latest l WHERE $3 OR EXISTS (SELECT FROM judged j WHERE " +
           Bad(judge) + ")";
}

}  // namespace

std::string BoundSql(const SilverShape& shape, const SilverTables& tables) {
    // Flags first, so that only numbers are sorted.
    return "SELECT sequence, flags + CASE WHEN position < coalesce($4, '{}') OR position < "
           "max(position) OVER (ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 "
           "PRECEDING) "
           "THEN 8 ELSE 0 END FROM (SELECT b.sequence, " +
           std::string(kPosition) +
           " AS position, CASE WHEN b.operation_type = 'TRUNCATE' THEN 1 ELSE 0 END + "
           "CASE WHEN b.operation_type = 'UPDATE' AND NOT b.raw_payload ?& " +
           NeededArray(shape) + " THEN 2 ELSE 0 END + CASE WHEN b.operation_type = 'UPDATE' AND " +
           KeyChanged(shape, "b.raw_payload", "b.before_payload") +
           " THEN 4 ELSE 0 END + CASE WHEN b.operation_type IN ('INSERT', 'UPDATE', 'READ') THEN 0 "
           "ELSE 16 END AS flags FROM " +
           tables.bronze +
           " b WHERE b.sequence > $1 AND ($3::pg_lsn IS NULL OR b.sequence < coalesce((SELECT "
           "min(u.sequence) FROM " +
           tables.bronze +
           " u WHERE u.sequence > $1 AND u.commit_lsn > $3), 9223372036854775807))" +
           SourceFilter(tables) + " ORDER BY b.sequence LIMIT $2) e ORDER BY sequence";
}

std::string ApplySql(const SilverShape& shape, const SilverTables& tables, const JudgeSql& judge,
                     bool partial, bool late) {
    const std::string events = partial ? CompletedEventCte(shape, tables) : EventCte(tables);
    return "WITH " + events + ", " + JudgedCte(shape, judge, partial) + ", " + DroppedCte(shape) +
           ", " + LatestCte(shape, judge, late) + ", " + PutCte(shape, tables, judge) + ", " +
           RemovedCte(shape, tables) + " " + ResultRows(shape, judge);
}

std::string ProbeSql(const SilverShape& shape, const SilverTables& tables, const JudgeSql& judge,
                     const TargetDemands* demands) {
    const Judgement judgement = Judge(shape, judge);
    std::string refused = "NULL";
    if (demands != nullptr) {
        std::vector<std::string> row;
        for (std::size_t i = 0; i < shape.output.size(); ++i) {
            row.push_back(demands->values[i] + " AS " + QuoteName(shape.output[i].name));
        }
        std::vector<std::string> conditions{"true"};
        for (const std::string& condition : demands->conditions) {
            conditions.push_back("(" + condition + ") IS NOT FALSE");
        }
        refused = "CASE WHEN j.present AND (" + judge.rejected + ") IS NOT TRUE AND NOT (SELECT " +
                  Join(conditions, " AND ") + " FROM (SELECT " + Join(row, ", ") +
                  " OFFSET 0) target) THEN CAST('refused ' || j.sequence AS integer) END";
    }
    // OFFSET 0: rows are put in order first and looked into one after the other.
    return "SELECT j.*, " + refused + " FROM (SELECT e.sequence, " + judgement.columns +
           " FROM (SELECT " + EventColumns() + " FROM " + tables.bronze +
           " b WHERE b.sequence > $1 AND b.sequence <= $2" + SourceFilter(tables) +
           " ORDER BY b.sequence OFFSET 0) " + judgement.from + " AND " + MissingColumns(shape) +
           " = '{}') j";
}

std::string EventSql(const SilverShape& shape, const SilverTables& tables) {
    const std::string payload = "coalesce(b.raw_payload, b.before_payload)";
    return std::string("SELECT b.event_id::text, ") + kPosition + "::text, " +
           KeyJson(shape, payload) + "::text, " + payload + "::text FROM " + tables.bronze +
           " b WHERE b.sequence = $1";
}

std::string KeysSql(const SilverShape& shape, const SilverTables& tables) {
    return "SELECT jsonb_agg(DISTINCT k) FROM " + tables.bronze +
           " b CROSS JOIN LATERAL (VALUES (" + KeyJson(shape, "b.raw_payload") + "), (" +
           KeyJson(shape, "b.before_payload") +
           ")) v(k) WHERE b.sequence > $1 AND b.sequence <= $2 AND k IS NOT NULL" +
           SourceFilter(tables);
}

std::string NewerSql(const SilverShape& shape, const SilverTables& tables) {
    std::vector<std::string> match;
    for (std::size_t i = 0; i < shape.key.size(); ++i) {
        match.push_back("t." + QuoteName(shape.key[i]) + " = r." + QuoteName(shape.key_source[i]));
    }
    return "SELECT FROM jsonb_to_record($1) AS r(" + KeyDefinition(shape) + ") JOIN " +
           tables.target + " t ON " + Join(match, " AND ") + " WHERE t.source_position > $2";
}

std::string TruncateSql(const SilverTables& tables) {
    return "DELETE FROM " + tables.target +
           " t WHERE t.source_position IS NULL OR t.source_position < $1";
}

}  // namespace bitvelocity::medallion
