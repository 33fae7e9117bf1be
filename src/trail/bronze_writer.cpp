#include "trail/bronze_writer.hpp"

#include "pg/boundary.hpp"
#include "pg/month_partition.hpp"
#include "pg/postgres.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/table_writer.hpp"
#include "trail/bronze_table.hpp"
#include "trail/json_value.hpp"
#include "trail/recorded_value.hpp"
#include "trail/role_scope.hpp"

namespace bitvelocity::trail {

namespace {

constexpr std::int64_t kEpochDifferenceUs =
    (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<std::int64_t>(USECS_PER_DAY);

constexpr pg::WriterColumn kRow[kBronzeColumns] = {
    {"event_id", UUIDOID},       {"event_timestamp", TIMESTAMPTZOID},
    {"source_system", TEXTOID},  {"operation_type", TEXTOID},
    {"table_name", TEXTOID},     {"raw_payload", JSONBOID},
    {"ingestion_date", DATEOID}, {"before_payload", JSONBOID},
    {"source_epoch", INT4OID},   {"commit_lsn", PG_LSNOID},
    {"ordinal", INT8OID},        {"part", INT4OID},
    {"transaction_id", XID8OID}, {"actor", TEXTOID},
    {"correlation_id", UUIDOID}, {"traceparent", TEXTOID},
    {"sequence", INT8OID},
};

// How the rows of one version of a source table become JSON.
struct SourcePlan {
    core::Oid oid = 0;
    std::uint32_t version = 0;
    std::string table_name;
    std::vector<std::string> keys;
    std::vector<RecordedType> types;
    std::vector<std::size_t> order;  // columns in the order of jsonb keys
    std::vector<JsonbPair> pairs;    // scratch, one row
};

SourcePlan MakePlan(const core::RelationSchema& relation) {
    SourcePlan plan;
    plan.oid = relation.oid;
    plan.version = relation.version;
    plan.table_name = relation.schema + "." + relation.name;
    for (const core::Column& column : relation.columns) {
        plan.keys.push_back(column.name);
        plan.types.push_back(RecordedTypeOf(*column.type));
        plan.order.push_back(plan.order.size());
    }
    std::sort(plan.order.begin(), plan.order.end(), [&](std::size_t a, std::size_t b) {
        return JsonKeyLess(plan.keys[a], plan.keys[b]);
    });
    plan.pairs.resize(plan.keys.size());
    return plan;
}

class MemorySwitch {
  public:
    explicit MemorySwitch(MemoryContext context) : previous_(MemoryContextSwitchTo(context)) {}
    ~MemorySwitch() noexcept { MemoryContextSwitchTo(previous_); }
    MemorySwitch(const MemorySwitch&) = delete;
    MemorySwitch& operator=(const MemorySwitch&) = delete;

  private:
    MemoryContext previous_;
};

Datum TextOf(std::string_view text) {
    return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

// The 32 bits of the WAL with the epoch they belong to: a commit is never 2^31 transactions old.
Datum WithEpoch(TransactionId xid) {
    const FullTransactionId next = ReadNextFullTransactionId();
    std::uint32_t epoch = EpochFromFullTransactionId(next);
    if (xid >= XidFromFullTransactionId(next) && epoch > 0) {
        --epoch;
    }
    return FullTransactionIdGetDatum(FullTransactionIdFromEpochAndXid(epoch, xid));
}

}  // namespace

struct BronzeWriter::Impl {
    Oid bronze;
    Oid owner;
    Oid sequence;
    DateADT today;
    pg::TableWriter writer;
    std::vector<std::unique_ptr<SourcePlan>> plans;
    SourcePlan* last_plan = nullptr;
    bool locked = false;
    std::uint64_t rows = 0;
    std::int64_t last_sequence = 0;
    std::string correlation_text;
    pg_uuid_t correlation{};
    core::EventIds ids_of_events;

    Impl(Oid table, Oid table_owner, Oid table_sequence)
        : bronze(table),
          owner(table_owner),
          sequence(table_sequence),
          today(static_cast<DateADT>(GetCurrentTransactionStartTimestamp() / USECS_PER_DAY)),
          writer(table, kRow,
                 [](std::uint32_t relation, std::uintptr_t key) { pg::MakeMonth(relation, key); }) {
    }

    SourcePlan& PlanOf(const core::RelationSchema& relation) {
        if (last_plan != nullptr && last_plan->oid == relation.oid &&
            last_plan->version == relation.version) {
            return *last_plan;
        }
        for (const auto& plan : plans) {
            if (plan->oid == relation.oid && plan->version == relation.version) {
                last_plan = plan.get();
                return *plan;
            }
        }
        plans.push_back(std::make_unique<SourcePlan>(MakePlan(relation)));
        last_plan = plans.back().get();
        return *last_plan;
    }

    // The jsonb of a tuple; `behind` gives the values that it leaves unchanged, where they are
    // known.
    Datum RowJson(SourcePlan& plan, const core::RelationSchema& relation, core::Tuple tuple,
                  core::Tuple behind, bool keys_only) {
        int used = 0;
        JsonbPair* pairs = plan.pairs.data();
        struct Fast {
            const JsonType* type;
            const core::Value* value;
            int pair;
        };
        thread_local std::vector<Fast> fast;
        fast.clear();
        for (const std::size_t column : plan.order) {
            if (keys_only && !relation.columns[column].key) {
                continue;
            }
            const core::Value* value = &tuple[column];
            if (value->kind == core::ValueKind::kUnchanged && !behind.empty()) {
                value = &behind[column];
            }
            if (value->kind == core::ValueKind::kUnchanged) {
                continue;
            }
            JsonbPair& pair = pairs[used];
            pair.order = static_cast<uint32>(used);
            pair.key.type = jbvString;
            pair.key.val.string.val = plan.keys[column].data();
            pair.key.val.string.len = static_cast<int>(plan.keys[column].size());
            pair.value.type = jbvNull;
            if (value->kind == core::ValueKind::kText) {
                const RecordedType& type = plan.types[column];
                if (NeedsConvert(type, value->text)) {
                    Convert(type, value->text, owner, &pair.value);
                } else {
                    fast.push_back({type.plain.get(), value, used});
                }
            }
            ++used;
        }
        const Fast* list = fast.data();
        const std::size_t count = fast.size();
        return pg::Call([pairs, used, list, count]() {
            for (std::size_t i = 0; i < count; ++i) {
                ToJson(*list[i].type, list[i].value->text, &pairs[list[i].pair].value);
            }
            JsonbValue row;
            row.type = jbvObject;
            row.val.object.nPairs = used;
            row.val.object.pairs = pairs;
            return JsonbPGetDatum(JsonbValueToJsonb(&row));
        });
    }

    // A transaction has one correlation id, so that the last one is nearly always the next.
    const pg_uuid_t* Correlation(const std::string& text) {
        if (text != correlation_text) {
            correlation = pg::Call([input = text.c_str()]() {
                return *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(input)));
            });
            correlation_text = text;
        }
        return &correlation;
    }

    bool Add(const core::Change& change) {
        const core::RelationSchema& relation = *change.relation;
        SourcePlan& plan = PlanOf(relation);
        MemorySwitch in_batch(writer.memory());
        RoleScope as_owner(owner);

        Datum values[kBronzeColumns] = {};
        bool nulls[kBronzeColumns] = {};
        nulls[kRawPayload] = change.after.empty();
        nulls[kBeforePayload] = change.before.empty();
        if (!change.after.empty()) {
            values[kRawPayload] =
                RowJson(plan, relation, change.after,
                        change.before_is_key ? core::Tuple{} : change.before, false);
        }
        if (!change.before.empty()) {
            values[kBeforePayload] =
                RowJson(plan, relation, change.before, {}, change.before_is_key);
        }
        const core::EventId id = ids_of_events.Make(change.identity);
        const core::Context* context = change.context;
        nulls[kTransactionId] = change.identity.xid == 0;
        nulls[kActor] = context == nullptr || context->actor.empty();
        nulls[kCorrelationId] = context == nullptr || context->correlation_id.empty();
        nulls[kTraceparent] = context == nullptr || context->traceparent.empty();
        values[kEventTimestamp] = TimestampTzGetDatum(change.commit_time_us - kEpochDifferenceUs);
        values[kIngestionDate] = DateADTGetDatum(today);
        values[kCommitLsn] = LSNGetDatum(change.identity.commit_lsn.value);
        values[kOrdinal] = Int64GetDatum(static_cast<std::int64_t>(change.identity.ordinal));
        values[kPart] = Int32GetDatum(static_cast<std::int32_t>(change.identity.part));
        const core::Source* source = change.identity.source;
        values[kSourceEpoch] = Int32GetDatum(source != nullptr ? source->epoch : 1);

        struct Texts {
            std::string_view system;
            std::string_view operation;
            std::string_view table;
            const core::Context* context;
            const pg_uuid_t* correlation;
        } texts{source != nullptr ? std::string_view(source->database) : std::string_view(),
                core::OperationName(change.operation), plan.table_name, context,
                nulls[kCorrelationId] ? nullptr : Correlation(context->correlation_id)};
        const Oid from = sequence;
        Datum* row = values;
        const bool* null = nulls;
        const core::EventId* event = &id;
        const TransactionId xid = change.identity.xid;
        const std::int64_t number = pg::Call([texts, from, row, null, event, xid]() {
            auto* uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
            std::memcpy(uuid->data, event->bytes, UUID_LEN);
            row[kEventId] = UUIDPGetDatum(uuid);
            row[kSourceSystem] = TextOf(texts.system);
            row[kOperationType] = TextOf(texts.operation);
            row[kTableName] = TextOf(texts.table);
            if (!null[kTransactionId]) {
                row[kTransactionId] = WithEpoch(xid);
            }
            if (!null[kActor]) {
                row[kActor] = TextOf(texts.context->actor);
            }
            if (!null[kCorrelationId]) {
                auto* correlation = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
                *correlation = *texts.correlation;
                row[kCorrelationId] = UUIDPGetDatum(correlation);
            }
            if (!null[kTraceparent]) {
                row[kTraceparent] = TextOf(texts.context->traceparent);
            }
            return nextval_internal(from, false);
        });
        values[kSequence] = Int64GetDatum(number);
        last_sequence = number;
        ++rows;
        return writer.AddRow(values, nulls);
    }
};

BronzeWriter::BronzeWriter(std::uint32_t bronze) {
    const Oid sequence = IsBronzeTable(bronze) ? SequenceOf(bronze) : InvalidOid;
    if (!OidIsValid(sequence)) {
        pg::Throw(core::kObjectNotInPrerequisiteState,
                  pg::QualifiedName(bronze) + " is not a bronze table",
                  "A column of the bronze row, or the sequence of column \"sequence\", is missing.",
                  "Rename the table and let bitvelocity make a new one with create_bronze().");
    }
    impl_ = std::make_unique<Impl>(bronze, pg::OwnerOf(bronze), sequence);
}

BronzeWriter::~BronzeWriter() noexcept = default;

void BronzeWriter::Lock() {
    LockSequence(impl_->bronze);
    impl_->locked = true;
}

void BronzeWriter::Write(const core::Change& change) {
    if (change.relation == nullptr) {
        pg::Throw(core::kFeatureNotSupported, "a bronze table has no rows for logical messages");
    }
    if (!impl_->locked) {
        Lock();
    }
    if (impl_->Add(change)) {
        Flush();
    }
}

void BronzeWriter::Flush() {
    if (impl_->writer.pending() == 0) {
        return;
    }
    pg::OwnerScope as_owner(impl_->owner);
    impl_->writer.Flush();
}

std::uint64_t BronzeWriter::rows() const {
    return impl_->rows;
}
std::int64_t BronzeWriter::last_sequence() const {
    return impl_->last_sequence;
}

}  // namespace bitvelocity::trail
