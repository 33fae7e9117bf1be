// The SQL functions of streams: arguments in, verbs called, results out. Documented in
// sql/api/stream.sql.

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "stream/verbs.hpp"
#include "trail/retention.hpp"
#include "worker/worker.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

std::string TextArgument(FunctionCallInfo fcinfo, int number) {
    const char* value = pg::Call(
        [fcinfo, number]() -> const char* { return text_to_cstring(PG_GETARG_TEXT_PP(number)); });
    return value;
}

std::string NameArgument(FunctionCallInfo fcinfo, int number) {
    return NameStr(*DatumGetName(PG_GETARG_DATUM(number)));
}

std::string JsonArgument(FunctionCallInfo fcinfo, int number) {
    const char* text = pg::Call([fcinfo, number]() {
        Jsonb* value = PG_GETARG_JSONB_P(number);
        return JsonbToCString(nullptr, &value->root, VARSIZE(value));
    });
    return text;
}

std::vector<core::Oid> TablesArgument(FunctionCallInfo fcinfo, int number) {
    std::vector<core::Oid> tables;
    if (PG_ARGISNULL(number)) {
        return tables;
    }
    struct Elements {
        Datum* values;
        bool* nulls;
        int count;
    };
    const Elements elements = pg::Call([fcinfo, number]() {
        Elements e{};
        deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), REGCLASSOID, sizeof(Oid), true,
                          TYPALIGN_INT, &e.values, &e.nulls, &e.count);
        return e;
    });
    for (int i = 0; i < elements.count; ++i) {
        if (elements.nulls[i]) {
            pg::Throw("22004", "a table in the list is NULL");
        }
        tables.push_back(DatumGetObjectId(elements.values[i]));
    }
    return tables;
}

std::int64_t MillisecondsArgument(FunctionCallInfo fcinfo, int number) {
    const Interval* interval = PG_GETARG_INTERVAL_P(number);
    return interval->time / 1000 + (static_cast<std::int64_t>(interval->day) +
                                    static_cast<std::int64_t>(interval->month) * DAYS_PER_MONTH) *
                                       SECS_PER_DAY * 1000;
}

void RequireArgument(FunctionCallInfo fcinfo, int number, const char* name) {
    if (PG_ARGISNULL(number)) {
        pg::Throw("22004", std::string(name) + " must not be NULL");
    }
}

}  // namespace

BV_FUNCTION(bitvelocity_create_stream) {
    RequireArgument(fcinfo, 0, "name");
    NewStream request;
    request.name = NameArgument(fcinfo, 0);
    request.tables = TablesArgument(fcinfo, 1);
    if (!PG_ARGISNULL(2)) {
        request.publication = NameArgument(fcinfo, 2);
    }
    RequireArgument(fcinfo, 3, "sink");
    RequireArgument(fcinfo, 4, "format");
    RequireArgument(fcinfo, 5, "snapshot");
    RequireArgument(fcinfo, 6, "on_missing_key");
    RequireArgument(fcinfo, 7, "options");
    request.sink = TextArgument(fcinfo, 3);
    request.format = TextArgument(fcinfo, 4);
    request.snapshot = PG_GETARG_BOOL(5);
    request.on_missing_key = TextArgument(fcinfo, 6);
    request.options_json = JsonArgument(fcinfo, 7);
    CreateStream(request);
    PG_RETURN_VOID();
}

BV_FUNCTION(bitvelocity_alter_stream) {
    RequireArgument(fcinfo, 0, "name");
    std::optional<std::string> options;
    if (!PG_ARGISNULL(3)) {
        options = JsonArgument(fcinfo, 3);
    }
    AlterStream(NameArgument(fcinfo, 0), TablesArgument(fcinfo, 1), TablesArgument(fcinfo, 2),
                options);
    PG_RETURN_VOID();
}

BV_FUNCTION(bitvelocity_pause_stream) {
    PauseStream(NameArgument(fcinfo, 0), true);
    PG_RETURN_VOID();
}

BV_FUNCTION(bitvelocity_resume_stream) {
    PauseStream(NameArgument(fcinfo, 0), false);
    PG_RETURN_VOID();
}

BV_FUNCTION(bitvelocity_drop_stream) {
    DropStream(NameArgument(fcinfo, 0));
    PG_RETURN_VOID();
}

BV_FUNCTION(bitvelocity_resync_stream) {
    RequireArgument(fcinfo, 0, "name");
    ResyncStream(NameArgument(fcinfo, 0), TablesArgument(fcinfo, 1));
    PG_RETURN_VOID();
}

BV_FUNCTION(bitvelocity_snapshot_stream) {
    RequireArgument(fcinfo, 0, "name");
    std::optional<std::string> filter;
    if (!PG_ARGISNULL(2)) {
        filter = TextArgument(fcinfo, 2);
    }
    SnapshotStream(NameArgument(fcinfo, 0), TablesArgument(fcinfo, 1), filter);
    PG_RETURN_VOID();
}

BV_FUNCTION(bitvelocity_create_bronze) {
    RequireArgument(fcinfo, 0, "source");
    const std::string target = PG_ARGISNULL(1) ? std::string() : TextArgument(fcinfo, 1);
    RequireArgument(fcinfo, 2, "on_missing_key");
    const std::uint32_t bronze = CreateBronze(PG_GETARG_OID(0), target, TextArgument(fcinfo, 2));
    if (!PG_ARGISNULL(3)) {
        trail::SetRetention(bronze, PG_GETARG_DATUM(3));
    }
    PG_RETURN_OID(bronze);
}

BV_FUNCTION(bitvelocity_redrive_dead_letter) {
    RequireArgument(fcinfo, 0, "stream");
    const bool all = PG_ARGISNULL(1);
    PG_RETURN_INT64(RedriveDeadLetters(TextArgument(fcinfo, 0), all ? 0 : PG_GETARG_DATUM(1), all));
}

BV_FUNCTION(bitvelocity_adopt_streams) {
    RequireArgument(fcinfo, 0, "existing_rows");
    PG_RETURN_INT32(AdoptStreams(PG_GETARG_BOOL(0)));
}

BV_FUNCTION(bitvelocity_wait_for_stream) {
    RequireArgument(fcinfo, 0, "name");
    const std::uint64_t lsn = PG_ARGISNULL(1) ? 0 : PG_GETARG_LSN(1);
    const std::int64_t timeout_ms = PG_ARGISNULL(2) ? -1 : MillisecondsArgument(fcinfo, 2);
    PG_RETURN_BOOL(WaitForStream(NameArgument(fcinfo, 0), lsn, timeout_ms));
}

BV_FUNCTION(bitvelocity_drain_stream) {
    RequireArgument(fcinfo, 0, "name");
    RequireArgument(fcinfo, 1, "timeout");
    PG_RETURN_LSN(DrainStream(NameArgument(fcinfo, 0), MillisecondsArgument(fcinfo, 1)));
}

// Rows of the streams of this database that have an entry in shared memory.
BV_FUNCTION(bitvelocity_stream_activity) {
    pg::Call([fcinfo]() {
        InitMaterializedSRF(fcinfo, 0);
        auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
        const Shared* shared = GetShared();
        if (shared == nullptr) {
            return;
        }
        auto lsn = [](std::uint64_t value, Datum* datum, bool* is_null) {
            *datum = LSNGetDatum(value);
            *is_null = value == 0;
        };
        for (int i = 0; i < shared->entry_count; ++i) {
            const Entry& entry = shared->entries[i];
            LWLockAcquire(shared->lock, LW_SHARED);
            const bool mine = entry.used && entry.database == MyDatabaseId;
            char error[kErrorLength];
            char hint[kErrorLength];
            strlcpy(error, entry.last_error, sizeof(error));
            strlcpy(hint, entry.last_hint, sizeof(hint));
            LWLockRelease(shared->lock);
            if (!mine) {
                continue;
            }
            Datum values[24] = {};
            bool nulls[24] = {};
            values[0] = Int32GetDatum(entry.stream_id);
            values[1] = CStringGetTextDatum(StateName(static_cast<State>(entry.state.load())));
            values[2] = Int32GetDatum(entry.decoder_pid.load());
            values[3] = Int32GetDatum(entry.deliverer_pid.load());
            lsn(entry.durable_lsn.load(), &values[4], &nulls[4]);
            lsn(entry.read_lsn.load(), &values[5], &nulls[5]);
            values[6] = Int64GetDatum(static_cast<std::int64_t>(entry.rows.load()));
            values[7] = Int64GetDatum(static_cast<std::int64_t>(entry.transactions.load()));
            values[8] = Float8GetDatum(static_cast<double>(entry.rate_x100.load()) / 100.0);
            values[9] = TimestampTzGetDatum(entry.last_commit_at.load());
            nulls[9] = entry.last_commit_at.load() == 0;
            values[10] = Int64GetDatum(static_cast<std::int64_t>(entry.snapshot_rows.load()));
            values[11] = Int64GetDatum(static_cast<std::int64_t>(entry.snapshot_total.load()));
            values[12] = CStringGetTextDatum(error);
            nulls[12] = error[0] == '\0';
            values[13] = CStringGetTextDatum(hint);
            nulls[13] = hint[0] == '\0';
            values[14] = TimestampTzGetDatum(entry.started_at.load());
            nulls[14] = entry.started_at.load() == 0;
            values[15] = Int64GetDatum(static_cast<std::int64_t>(entry.wal_limit.load()));
            values[16] = Float8GetDatum(static_cast<double>(entry.wal_free.load()));
            values[17] = Float8GetDatum(static_cast<double>(entry.retained_rate.load()));
            values[18] = ObjectIdGetDatum(entry.snapshot_table.load());
            values[19] =
                Float8GetDatum(static_cast<double>(entry.snapshot_rate_x100.load()) / 100.0);
            values[20] = BoolGetDatum(entry.snapshot_waiting.load());
            values[21] = Int64GetDatum(static_cast<std::int64_t>(entry.poison_events.load()));
            values[22] = BoolGetDatum(entry.throttled.load());
            values[23] = Int64GetDatum(static_cast<std::int64_t>(entry.transaction_rows.load()));
            tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        }
    });
    return static_cast<Datum>(0);
}

}  // namespace bitvelocity::stream
