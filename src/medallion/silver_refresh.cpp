#include "medallion/silver_refresh.hpp"

#include <nlohmann/json.hpp>

#include "medallion/arguments.hpp"
#include "medallion/events.hpp"
#include "medallion/model/silver_sql.hpp"
#include "medallion/refused_rows.hpp"
#include "pg/boundary.hpp"
#include "quality/rules.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

struct Rejected {
    std::int64_t sequence = 0;
    std::string event_id;
    std::string position;  // '{...}'
    std::string key;       // JSON
    std::string payload;   // JSON, or empty
    std::string reason;
    std::string issues;  // '{...}', or empty: see message
    std::string message;
    bool late = false;
};

struct KeyAt {
    std::string key;       // JSON
    std::string position;  // '{...}'
};

// What a range did: to the target already, to the catalogue when it is flushed.
struct Effects {
    std::int64_t put = 0;
    std::int64_t removed = 0;
    std::string highest;  // '{...}' or empty
    std::vector<Rejected> rejected;
    std::vector<KeyAt> deleted;
    std::vector<KeyAt> changed;
};

// Positions compare like bigint[]: element by element.
std::vector<std::int64_t> Numbers(const std::string& position) {
    std::vector<std::int64_t> numbers;
    std::int64_t current = 0;
    for (const char c : position) {
        if (c == ',' || c == '}') {
            numbers.push_back(current);
            current = 0;
        } else if (c != '{') {
            current = current * 10 + (c - '0');
        }
    }
    return numbers;
}

template <typename T>
void Append(std::vector<T>& to, std::vector<T>& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    from.clear();
}

std::string JsonText(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// [{"key": ..., "position": [...]}]
std::string KeysJson(const std::vector<KeyAt>& keys) {
    std::string json = "[";
    for (const KeyAt& entry : keys) {
        std::string position = entry.position;
        position.front() = '[';
        position.back() = ']';
        json += (json.size() == 1 ? "" : ",") + std::string("{\"key\":") + entry.key +
                ",\"position\":" + position + "}";
    }
    return json + "]";
}

class SilverRefresh {
  public:
    SilverRefresh(pg::SpiScope& spi, Dataset& dataset, Progress& progress)
        : spi_(spi),
          dataset_(dataset),
          progress_(progress),
          shape_(pg::ValueOrThrow(SilverShapeFromJson(dataset.definition))) {
        tables_.bronze = pg::QualifiedName(dataset.sources.at(0));
        tables_.target = pg::QualifiedName(dataset.target);
        LoadJudge();
    }

    bool Batch(core::Lsn until) {
        std::vector<Event> events = Bound(until);
        if (events.empty()) {
            return false;
        }
        LookAtFlags(events);
        open_quarantine_ = HasOpenQuarantine();
        std::size_t first = 0;
        while (first < events.size()) {
            std::size_t last = first + 1;
            if (!IsSolo(events[first])) {
                while (last < events.size() && !IsSolo(events[last])) {
                    ++last;
                }
            }
            if ((events[first].flags & kTruncate) != 0) {
                ApplyTruncate(events[first].sequence);
            } else {
                refused_.clear();
                probed_ = false;
                ApplyRange(events, first, last);
            }
            first = last;
        }
        Flush();
        progress_.read += static_cast<std::int64_t>(events.size());
        dataset_.position = events.back().sequence;
        StorePosition();
        TableChanged(dataset_.target);
        return static_cast<std::int64_t>(events.size()) == dataset_.batch_size;
    }

    // As owner: is the newest state of the event's key newer than the event?
    bool Newer(const std::string& payload, const std::string& position) {
        bool newer = false;
        const core::Status status = pg::Catch([&]() {
            pg::SubtransactionScope attempt;
            {
                const DatasetScope owner(dataset_.owner, dataset_.time_zone);
                const std::vector<pg::Param> params{pg::Param::Jsonb(payload), ArrayText(position)};
                if (newer_.plan == nullptr) {
                    newer_ = spi_.Prepare(NewerSql(shape_, tables_), params);
                }
                newer = !spi_.Execute(newer_, params).empty();
            }
            attempt.Commit();
        });
        // A key that cannot be read is in no target row.
        return status.ok() && newer;
    }

    bool NewerTombstone(const std::string& key, const std::string& position) {
        const pg::CatalogScope catalog;
        return !spi_.Execute(
                        "SELECT FROM bitvelocity.silver_tombstone WHERE dataset_id = $1 "
                        "AND key = $2 AND position > $3 UNION ALL SELECT FROM "
                        "bitvelocity.dataset WHERE dataset_id = $1 AND truncated_at > $3",
                        {pg::Param::Bigint(dataset_.id), pg::Param::Jsonb(key),
                         ArrayText(position)})
                    .empty();
    }

    // One quarantined event again. Returns whether it no longer has to be in quarantine.
    bool Replay(std::int64_t sequence) {
        open_quarantine_ = true;
        partial_ = true;
        late_ = true;
        bool accepted = false;
        const core::Status status = pg::Catch([&]() {
            pg::SubtransactionScope attempt;
            Apply(sequence - 1, sequence);
            attempt.Commit();
        });
        if (status.ok()) {
            accepted = attempt_.rejected.empty();
        } else if (!IsAboutRow(status.error())) {
            throw pg::StatusError(status.error());
        } else {
            attempt_ = {};
            attempt_.rejected.push_back(Refused(sequence, status.error()));
        }
        Keep();
        return accepted;
    }

    [[nodiscard]] bool InBronze(std::int64_t sequence) {
        const DatasetScope owner(dataset_.owner, dataset_.time_zone);
        return !spi_.Execute("SELECT FROM " + tables_.bronze + " WHERE sequence = $1",
                             {pg::Param::Bigint(sequence)})
                    .empty();
    }

  private:
    void LoadJudge() {
        std::vector<quality::Rule> source_rules;
        if (SourceExists()) {
            const bool same_owner = pg::OwnerOf(dataset_.source_table) == dataset_.owner;
            for (quality::Rule& rule : quality::LoadRules(dataset_.source_table)) {
                // A filter of somebody else's table must not run with this owner's rights.
                if ((same_owner || rule.filter.empty()) && HasSource(rule.column)) {
                    source_rules.push_back(std::move(rule));
                }
            }
        }
        const std::vector<quality::Rule> target_rules = quality::LoadRules(dataset_.target);
        std::vector<quality::Rule> all = source_rules;
        all.insert(all.end(), target_rules.begin(), target_rules.end());
        if (!source_rules.empty()) {
            judge_.source_failures = quality::FailuresSql(source_rules, "source");
        }
        if (!target_rules.empty()) {
            judge_.target_failures = quality::FailuresSql(target_rules, "target");
        }
        const quality::VerdictSql verdict = quality::VerdictOf(all, "j.failures");
        judge_.score = verdict.score;
        judge_.passed = verdict.passed;
        judge_.issues = verdict.issues;
        judge_.rejected = verdict.rejected;
    }

    // What is in bronze outlives the table that it came from.
    bool SourceExists() const {
        const Oid table = dataset_.source_table;
        return table != 0 && pg::Call([table]() {
                   return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table));
               });
    }

    bool HasSource(const std::string& column) const {
        for (const SourceColumn& source : shape_.source) {
            if (source.name == column) {
                return true;
            }
        }
        return false;
    }

    std::vector<Event> Bound(core::Lsn until) {
        const DatasetScope owner(dataset_.owner, dataset_.time_zone);
        const pg::Rows rows = spi_.Execute(
            BoundSql(shape_, tables_),
            {pg::Param::Bigint(dataset_.position), pg::Param::Bigint(dataset_.batch_size),
             pg::Param::LsnValue(until), ArrayText(dataset_.highest)});
        std::vector<Event> events;
        events.reserve(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            events.push_back({rows.Int(i, 1), static_cast<int>(rows.Int(i, 2))});
        }
        return events;
    }

    void LookAtFlags(const std::vector<Event>& events) {
        partial_ = false;
        late_ = false;
        for (const Event& event : events) {
            partial_ |= (event.flags & kPartial) != 0;
            late_ |= (event.flags & kLate) != 0;
        }
    }

    // A change of the key needs the row of the old key as it is right before, when columns are
    // missing.
    bool IsSolo(const Event& event) const {
        return (event.flags & kTruncate) != 0 || (partial_ && (event.flags & kKeyChange) != 0);
    }

    bool HasOpenQuarantine() {
        const pg::CatalogScope catalog;
        return !spi_.Execute(
                        "SELECT FROM bitvelocity.quarantine_entry WHERE dataset_id = $1 "
                        "AND state = 'open' LIMIT 1",
                        {pg::Param::Bigint(dataset_.id)})
                    .empty();
    }

    // Events [first, last): in one go. Where PostgreSQL refuses something, the rows that it refuses
    // are found in one pass, and the rest is done in one go; what then is still refused (by a
    // trigger or unique index of the target, a key that cannot be read) is found by halving.
    void ApplyRange(const std::vector<Event>& events, std::size_t first, std::size_t last) {
        const std::int64_t after = first == 0 ? dataset_.position : events[first - 1].sequence;
        const std::int64_t through = events[last - 1].sequence;
        const core::Status status = pg::Catch([&]() {
            pg::SubtransactionScope attempt;
            Apply(after, through);
            attempt.Commit();
        });
        if (status.ok()) {
            for (auto at = refused_.upper_bound(after);
                 at != refused_.end() && at->first <= through; ++at) {
                attempt_.rejected.push_back(Refused(at->first, at->second));
            }
            Keep();
            return;
        }
        if (!IsAboutRow(status.error())) {
            throw pg::StatusError(status.error());
        }
        attempt_ = {};
        if (last - first == 1) {
            if ((events[first].flags & kKeyChange) != 0) {
                RemoveOldKey(after, through);
            }
            attempt_.rejected.push_back(Refused(through, status.error()));
            Keep();
            return;
        }
        if (!probed_) {
            probed_ = true;
            halving_ = true;
            const TargetDemands demands = DemandsOf(spi_, dataset_, shape_);
            refused_ = FindRefused(spi_, dataset_,
                                   {ProbeSql(shape_, tables_, judge_, nullptr),
                                    ProbeSql(shape_, tables_, judge_, &demands)},
                                   {events.data() + first, last - first}, after,
                                   [this](std::int64_t sequence) { return TryAlone(sequence); });
            if (!refused_.empty()) {
                // From here on a newer version of a row makes its refused one history.
                open_quarantine_ = true;
                ApplyRange(events, first, last);
                return;
            }
        }
        halving_ = true;
        const std::size_t middle = first + (last - first) / 2;
        ApplyRange(events, first, middle);
        ApplyRange(events, middle, last);
    }

    // Leaves nothing behind.
    core::Status TryAlone(std::int64_t sequence) {
        core::Status status = pg::Catch([&]() {
            const pg::SubtransactionScope attempt;
            Apply(sequence - 1, sequence);
        });
        attempt_ = {};
        if (!status.ok() && !IsAboutRow(status.error())) {
            throw pg::StatusError(status.error());
        }
        return status;
    }

    // The row of the old key is gone from the source, whatever is wrong with the new one.
    void RemoveOldKey(std::int64_t after, std::int64_t through) {
        removals_only_ = true;
        const core::Status status = pg::Catch([&]() {
            pg::SubtransactionScope attempt;
            Apply(after, through);
            attempt.Commit();
        });
        removals_only_ = false;
        if (status.ok()) {
            return;
        }
        if (!IsAboutRow(status.error())) {
            throw pg::StatusError(status.error());
        }
        attempt_ = {};
    }

    // The range is done. Events that lack columns look for them in the catalogue, so it is flushed
    // before the next range.
    void Keep() {
        pending_.put += attempt_.put;
        pending_.removed += attempt_.removed;
        if (Numbers(pending_.highest) < Numbers(attempt_.highest)) {
            pending_.highest = attempt_.highest;
        }
        open_quarantine_ |= !attempt_.rejected.empty();
        Append(pending_.rejected, attempt_.rejected);
        Append(pending_.deleted, attempt_.deleted);
        Append(pending_.changed, attempt_.changed);
        attempt_ = {};
        Raise(pending_.highest);
        if (partial_ || late_) {
            Flush();
        }
    }

    // Keys of the events in a range, as a JSON array: for look-ups in the catalogue.
    std::string KeysOf(std::int64_t after, std::int64_t through) {
        const DatasetScope owner(dataset_.owner, dataset_.time_zone);
        const pg::Rows rows = spi_.Execute(KeysSql(shape_, tables_),
                                           {pg::Param::Bigint(after), pg::Param::Bigint(through)});
        return rows.Text(0, 1).value_or("[]");
    }

    std::string DeletedKeys(const std::string& keys) {
        const pg::CatalogScope catalog;
        return spi_
            .Execute(
                "SELECT jsonb_agg(jsonb_build_object('key', key, 'position', "
                "to_jsonb(position))) FROM bitvelocity.silver_tombstone "
                "WHERE dataset_id = $1 AND key IN (SELECT jsonb_array_elements($2))",
                {pg::Param::Bigint(dataset_.id), pg::Param::Jsonb(keys)})
            .Text(0, 1)
            .value_or("[]");
    }

    // The newest version of keys whose newest version is in quarantine.
    std::string QuarantinedRows(const std::string& keys) {
        const pg::CatalogScope catalog;
        return spi_
            .Execute(
                "SELECT jsonb_agg(to_jsonb(q)) FROM (SELECT DISTINCT ON (key) key, payload "
                "FROM bitvelocity.quarantine_entry WHERE dataset_id = $1 AND state = 'open' "
                "AND payload IS NOT NULL AND key IN (SELECT jsonb_array_elements($2)) "
                "ORDER BY key, position DESC) q",
                {pg::Param::Bigint(dataset_.id), pg::Param::Jsonb(keys)})
            .Text(0, 1)
            .value_or("[]");
    }

    std::string RefusedList(std::int64_t after, std::int64_t through) const {
        std::string list;
        for (auto at = refused_.upper_bound(after); at != refused_.end() && at->first <= through;
             ++at) {
            list += (list.empty() ? "{" : ",") + std::to_string(at->first);
        }
        return list.empty() ? list : list + "}";
    }

    void Apply(std::int64_t after, std::int64_t through) {
        std::string keys;
        if (late_ || (partial_ && open_quarantine_)) {
            keys = KeysOf(after, through);
        }
        const std::string dead = late_ ? DeletedKeys(keys) : "[]";
        const std::string known = partial_ && open_quarantine_ ? QuarantinedRows(keys) : "[]";
        const std::vector<pg::Param> params{
            pg::Param::Bigint(after),          pg::Param::Bigint(through),
            pg::Param::Bool(open_quarantine_), pg::Param::Jsonb(dead),
            ArrayText(dataset_.truncated_at),  pg::Param::Int(dataset_.version),
            pg::Param::Jsonb(known),           ArrayText(dataset_.highest),
            pg::Param::Bool(removals_only_),   ArrayText(RefusedList(after, through))};
        const DatasetScope owner(dataset_.owner, dataset_.time_zone);
        const pg::Rows rows = Run(params, through - after);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            Take(rows, i);
        }
    }

    // A whole batch is planned for its size; the many small ranges that a refused row leads to
    // share one plan.
    pg::Rows Run(const std::vector<pg::Param>& params, std::int64_t span) {
        constexpr std::int64_t kSmall = 1000;
        const std::string sql = ApplySql(shape_, tables_, judge_, partial_, late_);
        if (span > kSmall || !halving_) {
            return spi_.Execute(sql, params);
        }
        if (small_.plan == nullptr || small_sql_ != sql) {
            small_ = spi_.Prepare(sql, params);
            small_sql_ = sql;
        }
        return spi_.Execute(small_, params);
    }

    void Take(const pg::Rows& rows, std::size_t i) {
        switch (rows.Text(i, 1)->front()) {
            case 'S':
                attempt_.put += rows.Int(i, 2);
                attempt_.removed += rows.Int(i, 3);
                attempt_.highest = rows.Text(i, 5).value_or("");
                break;
            case 'Q': {
                Rejected row;
                row.sequence = rows.Int(i, 2);
                row.event_id = rows.Text(i, 4).value_or("");
                row.position = *rows.Text(i, 5);
                row.key = *rows.Text(i, 6);
                row.payload = rows.Text(i, 7).value_or("");
                row.issues = *rows.Text(i, 8);
                row.reason = "quality";
                row.late = rows.Bool(i, 9);
                attempt_.rejected.push_back(std::move(row));
                break;
            }
            case 'T':
                attempt_.deleted.push_back({*rows.Text(i, 6), *rows.Text(i, 5)});
                break;
            default:
                attempt_.changed.push_back({*rows.Text(i, 6), *rows.Text(i, 5)});
        }
    }

    Rejected Refused(std::int64_t sequence, const core::Error& error) {
        const DatasetScope owner(dataset_.owner, dataset_.time_zone);
        const std::vector<pg::Param> params{pg::Param::Bigint(sequence)};
        if (event_.plan == nullptr) {
            event_ = spi_.Prepare(EventSql(shape_, tables_), params);
        }
        const pg::Rows rows = spi_.Execute(event_, params);
        Rejected row;
        row.sequence = sequence;
        row.event_id = rows.Text(0, 1).value_or("");
        row.position = *rows.Text(0, 2);
        row.key = *rows.Text(0, 3);
        row.payload = rows.Text(0, 4).value_or("");
        row.reason = "error";
        row.message = error.message;
        row.late = true;  // whether it is has to be looked up
        return row;
    }

    // Writes what ranges left behind: deleted keys, quarantine, superseded entries.
    void Flush() {
        progress_.put += pending_.put;
        progress_.removed += pending_.removed;
        progress_.quarantined += static_cast<std::int64_t>(pending_.rejected.size());
        StoreDeleted();
        StoreRejected();
        if (!pending_.changed.empty()) {
            const pg::CatalogScope catalog;
            spi_.Execute(
                "UPDATE bitvelocity.quarantine_entry q SET state = 'superseded' "
                "FROM jsonb_to_recordset($2) AS c(key jsonb, position bigint[]) "
                "WHERE q.dataset_id = $1 AND q.state = 'open' AND q.key = c.key "
                "AND q.position < c.position",
                {pg::Param::Bigint(dataset_.id), pg::Param::Jsonb(KeysJson(pending_.changed))});
        }
        pending_ = {};
    }

    void StoreDeleted() {
        if (pending_.deleted.empty()) {
            return;
        }
        const pg::CatalogScope catalog;
        // Several ranges may have deleted the same key.
        spi_.Execute(
            "INSERT INTO bitvelocity.silver_tombstone AS t SELECT $1, d.key, max(d.position) "
            "FROM jsonb_to_recordset($2) AS d(key jsonb, position bigint[]) GROUP BY d.key "
            "ON CONFLICT (dataset_id, key) DO UPDATE SET position = excluded.position "
            "WHERE t.position < excluded.position",
            {pg::Param::Bigint(dataset_.id), pg::Param::Jsonb(KeysJson(pending_.deleted))});
    }

    void StoreRejected() {
        if (pending_.rejected.empty()) {
            return;
        }
        std::sort(pending_.rejected.begin(), pending_.rejected.end(),
                  [](const Rejected& a, const Rejected& b) { return a.sequence < b.sequence; });
        std::string json = "[";
        for (const Rejected& row : pending_.rejected) {
            const bool superseded =
                row.late && (Newer(row.payload.empty() ? "{}" : row.payload, row.position) ||
                             NewerTombstone(row.key, row.position));
            json += (json.size() == 1 ? "" : ",") + std::string("{\"sequence\":") +
                    std::to_string(row.sequence) +
                    (row.event_id.empty() ? "" : ",\"event_id\":\"" + row.event_id + "\"") +
                    ",\"position\":\"" + row.position + "\",\"key\":" + row.key +
                    ",\"payload\":" + (row.payload.empty() ? "null" : row.payload) +
                    ",\"reason\":\"" + row.reason +
                    "\",\"issues\":" + (row.issues.empty() ? "null" : JsonText(row.issues)) +
                    ",\"message\":" + JsonText(row.message) + ",\"state\":\"" +
                    (superseded ? "superseded" : "open") + "\"}";
        }
        const pg::CatalogScope catalog;
        spi_.Execute(
            "INSERT INTO bitvelocity.quarantine_entry (dataset_id, source_sequence, event_id, "
            "position, key, payload, reason, issues, state) SELECT $1, r.sequence, r.event_id, "
            "r.position::bigint[], r.key, r.payload, r.reason, coalesce(r.issues::text[], "
            "ARRAY[r.message]), r.state FROM jsonb_to_recordset($2) AS r(sequence bigint, "
            "event_id uuid, position text, key jsonb, payload jsonb, reason text, issues text, "
            "message text, state text) ON CONFLICT (dataset_id, source_sequence) DO UPDATE "
            "SET issues = excluded.issues, reason = excluded.reason",
            {pg::Param::Bigint(dataset_.id), pg::Param::Jsonb(json + "]")});
    }

    // A TRUNCATE of the source: every row, deletion and quarantined row before it is history.
    void ApplyTruncate(std::int64_t sequence) {
        Flush();
        std::string position;
        {
            const DatasetScope owner(dataset_.owner, dataset_.time_zone);
            position =
                *spi_.Execute(EventSql(shape_, tables_), {pg::Param::Bigint(sequence)}).Text(0, 2);
            progress_.removed += static_cast<std::int64_t>(
                spi_.Execute(TruncateSql(tables_), {ArrayText(position)}).processed());
        }
        const pg::CatalogScope catalog;
        const pg::Rows rows = spi_.Execute(
            "UPDATE bitvelocity.dataset SET truncated_at = greatest(truncated_at, $2) "
            "WHERE dataset_id = $1 RETURNING truncated_at::text",
            {pg::Param::Bigint(dataset_.id), ArrayText(position)});
        dataset_.truncated_at = *rows.Text(0, 1);
        spi_.Execute(
            "DELETE FROM bitvelocity.silver_tombstone WHERE dataset_id = $1 "
            "AND position < $2",
            {pg::Param::Bigint(dataset_.id), ArrayText(position)});
        spi_.Execute(
            "UPDATE bitvelocity.quarantine_entry SET state = 'superseded' "
            "WHERE dataset_id = $1 AND state = 'open' AND position < $2",
            {pg::Param::Bigint(dataset_.id), ArrayText(position)});
        Raise(position);
    }

    void Raise(const std::string& position) {
        if (Numbers(dataset_.highest) < Numbers(position)) {
            dataset_.highest = position;
        }
    }

    void StorePosition() {
        std::optional<std::string> at;
        {
            const DatasetScope owner(dataset_.owner, dataset_.time_zone);
            at = spi_.Execute("SELECT event_timestamp::text FROM " + tables_.bronze +
                                  " WHERE sequence = $1",
                              {pg::Param::Bigint(dataset_.position)})
                     .Text(0, 1);
        }
        const pg::CatalogScope catalog;
        spi_.Execute(
            "UPDATE bitvelocity.dataset SET position = $2, highest = $3, "
            "last_event_at = $4::timestamptz, last_refresh = clock_timestamp(), last_error = NULL, "
            "last_error_at = NULL WHERE dataset_id = $1",
            {pg::Param::Bigint(dataset_.id), pg::Param::Bigint(dataset_.position),
             ArrayText(dataset_.highest), pg::Param::Text(at)});
    }

    pg::SpiScope& spi_;
    Dataset& dataset_;
    Progress& progress_;
    SilverShape shape_;
    SilverTables tables_;
    JudgeSql judge_;
    bool partial_ = false;
    bool late_ = false;
    bool open_quarantine_ = false;
    bool removals_only_ = false;
    bool halving_ = false;
    std::map<std::int64_t, core::Error> refused_;  // of the range that is being applied
    bool probed_ = false;                          // refused_ is all that probing finds
    pg::Prepared small_;
    pg::Prepared event_;
    pg::Prepared newer_;
    std::string small_sql_;

    Effects attempt_;  // of the current range, void when its subtransaction fails
    Effects pending_;  // of ranges that are done
};

}  // namespace

bool RefreshSilverBatch(pg::SpiScope& spi, Dataset& dataset, core::Lsn until, Progress& progress) {
    SilverRefresh refresh(spi, dataset, progress);
    return refresh.Batch(until);
}

std::int64_t ReplayQuarantine(pg::SpiScope& spi, Dataset& dataset,
                              const std::optional<std::string>& ids) {
    struct Entry {
        std::int64_t id;
        std::int64_t sequence;
    };
    std::vector<Entry> entries;
    {
        const pg::CatalogScope catalog;
        const pg::Rows rows = spi.Execute(
            "SELECT quarantine_id, source_sequence FROM bitvelocity.quarantine_entry "
            "WHERE dataset_id = $1 AND state = 'open' AND ($2 IS NULL OR quarantine_id = ANY "
            "($2::bigint[])) ORDER BY position, source_sequence",
            {pg::Param::Bigint(dataset.id), pg::Param::Text(ids)});
        for (std::size_t i = 0; i < rows.size(); ++i) {
            entries.push_back({rows.Int(i, 1), rows.Int(i, 2)});
        }
    }
    Progress progress;
    SilverRefresh refresh(spi, dataset, progress);
    std::int64_t replayed = 0;
    for (const Entry& entry : entries) {
        if (!refresh.InBronze(entry.sequence) || !refresh.Replay(entry.sequence)) {
            continue;
        }
        ++replayed;
        const pg::CatalogScope catalog;
        spi.Execute(
            "UPDATE bitvelocity.quarantine_entry SET state = 'replayed', "
            "replayed_at = clock_timestamp() WHERE quarantine_id = $1",
            {pg::Param::Bigint(entry.id)});
    }
    if (replayed > 0) {
        TableChanged(dataset.target);
    }
    return replayed;
}

}  // namespace bitvelocity::medallion
