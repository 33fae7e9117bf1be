#include "trail/trail_writer.hpp"

#include "pg/boundary.hpp"
#include "pg/month_partition.hpp"
#include "pg/row_inserter.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "pg/table_writer.hpp"
#include "trail/json_value.hpp"
#include "trail/role_scope.hpp"
#include "trail/trail_table.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::trail {

namespace {

constexpr std::string_view kRedacted = "***";

constexpr pg::WriterColumn kFixed[kTrailColumns] = {
    {"audit_id", INT8OID},
    {"operation_type", TEXTOID},
    {"operation_timestamp", TIMESTAMPTZOID},
    {"operation_user", TEXTOID},
    {"old_values", JSONBOID},
    {"new_values", JSONBOID},
    {"correlation_id", UUIDOID},
    {"transaction_id", XID8OID},
    {"actor", TEXTOID},
    {"session_user_name", TEXTOID},
    {"application_name", TEXTOID},
    {"traceparent", TEXTOID},
    {"changed_columns", TEXTARRAYOID},
    {"previous_key", JSONBOID},
};

// One column of the source.
struct Source {
    std::string name;
    JsonTypePtr type;
    bool by_value = false;
    std::int16_t length = 0;
    bool audited = false;  // neither dropped nor excluded
    bool redacted = false;
};

// A key column of the trail and where its value comes from.
struct Key {
    int source = -1;  // index; -1: the source has lost it
    Oid source_type = InvalidOid;
    Oid trail_type = InvalidOid;
};

struct Image {
    std::vector<Datum> values;
    std::unique_ptr<bool[]> nulls;
};

class Busy {
  public:
    explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
    ~Busy() noexcept { flag_ = false; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

  private:
    bool& flag_;
};

bool SameDatum(Datum a, Datum b, bool by_value, std::int16_t length) {
    if (!by_value && length == -1) {
        const auto* left = reinterpret_cast<varlena*>(DatumGetPointer(a));
        const auto* right = reinterpret_cast<varlena*>(DatumGetPointer(b));
        // The same stored value needs no look inside.
        if (VARATT_IS_EXTERNAL_ONDISK(left) && VARATT_IS_EXTERNAL_ONDISK(right) &&
            std::memcmp(left, right, VARSIZE_EXTERNAL(left)) == 0) {
            return true;
        }
    }
    return datum_image_eq(a, b, by_value, length);
}

Datum TextOrNull(const char* text, bool* is_null) {
    *is_null = text == nullptr || *text == '\0';
    return *is_null ? 0 : CStringGetTextDatum(text);
}

Oid IdentityOf(Oid trail) {
    const AttrNumber column = get_attnum(trail, "audit_id");
    return column > 0 ? pg::compat::IdentitySequence(trail, column) : InvalidOid;
}

}  // namespace

struct TrailPlan::Impl {
    Oid trail = InvalidOid;
    Oid owner = InvalidOid;
    Oid sequence = InvalidOid;
    bool changed_only = false;
    std::vector<Source> columns;
    std::vector<int> order;  // audited columns in the order of jsonb keys
    std::vector<Key> keys;
    std::vector<std::string> key_names;
    std::vector<int> key_order;  // keys in the order of jsonb keys
    std::vector<pg::WriterColumn> row;
    std::unique_ptr<pg::RowInserter> inserter;
    TupleDesc desc = nullptr;  // a copy, in `memory`
    MemoryContext memory = nullptr;

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (memory != nullptr) {
            MemoryContextDelete(memory);
        }
    }

    // scratch of one row
    bool busy = false;
    Image before;
    Image after;
    std::vector<bool> changed;
    std::vector<JsonbPair> pairs;

    void Describe(const TrailOptions& options, Relation source);
    void DescribeTrail();
    void Deform(HeapTuple tuple, Image& image);
    bool Compare();
    bool KeyChanged() const;
    void Who(core::Operation operation, Datum* values, bool* nulls);
    void SetPair(int at, const std::string& name, int column, const Image& image);
    Datum Object(int used);
    Datum RowJson(const Image& image, bool changed_columns_only);
    Datum KeyJson(const Image& image);
    Datum ChangedColumns();
    Datum KeyValue(const Key& key, const Image& image, bool* is_null);
};

namespace {

std::string NameOf(Oid relation, int number) {
    const auto attnum = static_cast<AttrNumber>(number);
    const char* name =
        pg::Call([relation, attnum]() { return get_attname(relation, attnum, true); });
    return name != nullptr ? name : "";
}

// Numbers of the audited table; a partition may count otherwise, so names connect them.
bool Contains(Oid relation, const std::vector<int>& numbers, const std::string& name) {
    return std::any_of(numbers.begin(), numbers.end(),
                       [&](int number) { return NameOf(relation, number) == name; });
}

}  // namespace

void TrailPlan::Impl::Describe(const TrailOptions& options, Relation source) {
    pg::Call([this, source]() {
        memory =
            AllocSetContextCreate(TopMemoryContext, "bitvelocity trail plan", ALLOCSET_SMALL_SIZES);
        const MemoryContext old = MemoryContextSwitchTo(memory);
        desc = CreateTupleDescCopyConstr(RelationGetDescr(source));
        MemoryContextSwitchTo(old);
    });
    for (int i = 0; i < desc->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        Source column;
        column.by_value = attribute->attbyval;
        column.length = attribute->attlen;
        if (!attribute->attisdropped) {
            column.name = NameStr(attribute->attname);
            column.type = FindJsonType(attribute->atttypid, nullptr);
            column.audited = !Contains(options.relation, options.exclude, column.name);
            column.redacted = Contains(options.relation, options.redact, column.name);
        }
        if (column.audited) {
            order.push_back(i);
        }
        columns.push_back(std::move(column));
    }
    std::sort(order.begin(), order.end(),
              [&](int a, int b) { return JsonKeyLess(columns[a].name, columns[b].name); });
    for (const int number : options.keys) {
        const std::string name = NameOf(options.relation, number);
        Key key;
        for (int i = 0; i < desc->natts; ++i) {
            if (!name.empty() && columns[i].name == name) {
                key.source = i;
                key.source_type = TupleDescAttr(desc, i)->atttypid;
            }
        }
        keys.push_back(key);
    }
    before.values.resize(desc->natts);
    before.nulls = std::make_unique<bool[]>(desc->natts + 1);
    after.values.resize(desc->natts);
    after.nulls = std::make_unique<bool[]>(desc->natts + 1);
    changed.resize(desc->natts);
    pairs.resize(desc->natts + 1);
}

void TrailPlan::Impl::DescribeTrail() {
    row.assign(std::begin(kFixed), std::end(kFixed));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        key_order.push_back(static_cast<int>(i));
        const char* name = key_names[i].c_str();
        keys[i].trail_type = pg::Call([relation = trail, name]() -> Oid {
            const AttrNumber number = get_attnum(relation, name);
            return number > 0 ? get_atttype(relation, number) : InvalidOid;
        });
        row.push_back({name, keys[i].trail_type});
    }
    std::sort(key_order.begin(), key_order.end(),
              [&](int a, int b) { return JsonKeyLess(key_names[a], key_names[b]); });
    sequence = pg::Call([relation = trail]() { return IdentityOf(relation); });
    inserter = std::make_unique<pg::RowInserter>(trail, row);
}

void TrailPlan::Impl::Deform(HeapTuple tuple, Image& image) {
    if (tuple != nullptr) {
        heap_deform_tuple(tuple, desc, image.values.data(), image.nulls.get());
    }
}

bool TrailPlan::Impl::KeyChanged() const {
    return std::any_of(keys.begin(), keys.end(),
                       [this](const Key& key) { return key.source >= 0 && changed[key.source]; });
}

// Everything that is the same for all rows of a statement but its number.
void TrailPlan::Impl::Who(core::Operation operation, Datum* values, bool* nulls) {
    const std::string_view name = core::OperationName(operation);
    pg::Call([this, name, values, nulls]() {
        if (!OidIsValid(sequence)) {
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("column \"audit_id\" of the audit trail has no sequence"),
                            errhint("Make it GENERATED ALWAYS AS IDENTITY again.")));
        }
        for (const int column : {kAuditId, kTrailOperation, kOperationTimestamp, kOperationUser,
                                 kTrailTransactionId, kSessionUserName}) {
            nulls[column] = false;
        }
        const char* session_user = GetUserNameFromId(GetSessionUserId(), false);
        const char* actor = pg::settings::actor;
        const char* correlation = pg::settings::correlation_id;
        values[kAuditId] = Int64GetDatum(nextval_internal(sequence, false));
        values[kTrailOperation] =
            PointerGetDatum(cstring_to_text_with_len(name.data(), static_cast<int>(name.size())));
        values[kOperationTimestamp] = TimestampTzGetDatum(GetCurrentTimestamp());
        values[kTrailTransactionId] = FullTransactionIdGetDatum(GetTopFullTransactionId());
        values[kSessionUserName] = CStringGetTextDatum(session_user);
        values[kTrailActor] = TextOrNull(actor, &nulls[kTrailActor]);
        values[kOperationUser] =
            nulls[kTrailActor] ? values[kSessionUserName] : values[kTrailActor];
        values[kApplicationName] = TextOrNull(application_name, &nulls[kApplicationName]);
        values[kTrailTraceparent] =
            TextOrNull(pg::settings::traceparent, &nulls[kTrailTraceparent]);
        nulls[kTrailCorrelationId] = correlation == nullptr || *correlation == '\0';
        if (!nulls[kTrailCorrelationId]) {
            values[kTrailCorrelationId] =
                DirectFunctionCall1(uuid_in, CStringGetDatum(correlation));
        }
    });
}

// Marks the audited columns that differ; false: none.
bool TrailPlan::Impl::Compare() {
    bool any = false;
    for (const int i : order) {
        const bool same = before.nulls[i] == after.nulls[i] &&
                          (before.nulls[i] || pg::Call([this, i]() {
                               return SameDatum(before.values[i], after.values[i],
                                                columns[i].by_value, columns[i].length);
                           }));
        changed[i] = !same;
        any = any || !same;
    }
    return any;
}

// The next member of the object that is being made.
void TrailPlan::Impl::SetPair(int at, const std::string& name, int column, const Image& image) {
    const Source& source = columns[column];
    JsonbPair* pair = &pairs[at];
    pair->order = static_cast<uint32>(at);
    pair->key.type = jbvString;
    pair->key.val.string.val = const_cast<char*>(name.data());
    pair->key.val.string.len = static_cast<int>(name.size());
    pair->value.type = jbvNull;
    if (image.nulls[column]) {
        return;
    }
    if (source.redacted) {
        pair->value.type = jbvString;
        pair->value.val.string.val = const_cast<char*>(kRedacted.data());
        pair->value.val.string.len = static_cast<int>(kRedacted.size());
        return;
    }
    const JsonType* type = source.type.get();
    const Datum value = image.values[column];
    const bool general = pg::Call([type, value, pair]() {
        if (NeedsConvert(*type, value)) {
            return true;
        }
        ToJson(*type, value, &pair->value);
        return false;
    });
    if (general) {
        Convert(*type, value, owner, &pair->value);
    }
}

Datum TrailPlan::Impl::Object(int used) {
    return pg::Call([list = pairs.data(), used]() {
        JsonbValue object;
        object.type = jbvObject;
        object.val.object.nPairs = used;
        object.val.object.pairs = list;
        return JsonbPGetDatum(JsonbValueToJsonb(&object));
    });
}

Datum TrailPlan::Impl::RowJson(const Image& image, bool changed_columns_only) {
    int used = 0;
    for (const int i : order) {
        if (!changed_columns_only || changed[i]) {
            SetPair(used++, columns[i].name, i, image);
        }
    }
    return Object(used);
}

// Under the names of the trail's columns, which stay when a column is renamed.
Datum TrailPlan::Impl::KeyJson(const Image& image) {
    int used = 0;
    for (const int k : key_order) {
        if (keys[k].source >= 0) {
            SetPair(used++, key_names[k], keys[k].source, image);
        }
    }
    return Object(used);
}

Datum TrailPlan::Impl::ChangedColumns() {
    return pg::Call([this]() {
        auto* names = static_cast<Datum*>(palloc(sizeof(Datum) * (columns.size() + 1)));
        int count = 0;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (columns[i].audited && changed[i]) {
                names[count++] = CStringGetTextDatum(columns[i].name.c_str());
            }
        }
        return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
    });
}

// A key column's type may have changed since the trail was made: its text then counts.
Datum TrailPlan::Impl::KeyValue(const Key& key, const Image& image, bool* is_null) {
    *is_null = key.source < 0 || image.nulls[key.source];
    if (*is_null) {
        return 0;
    }
    const Datum value = image.values[key.source];
    if (key.source_type == key.trail_type) {
        return value;
    }
    const pg::OwnerScope as_owner(owner);  // a domain's CHECK may call anything
    return pg::Call([key, value]() {
        Oid output = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(key.source_type, &output, &is_varlena);
        Oid input = InvalidOid;
        Oid io_param = InvalidOid;
        getTypeInputInfo(key.trail_type, &input, &io_param);
        return OidInputFunctionCall(input, OidOutputFunctionCall(output, value), io_param, -1);
    });
}

TrailPlan::TrailPlan(const TrailOptions& options, RelationData* source)
    : impl_(std::make_unique<Impl>()) {
    impl_->trail = options.trail;
    impl_->changed_only = options.changed_only;
    impl_->key_names = options.key_names;
    const bool exists = pg::Call([trail = options.trail]() {
        return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(trail));
    });
    if (!exists) {
        pg::Throw(
            core::kObjectNotInPrerequisiteState,
            "the audit trail of table " + pg::QualifiedName(options.relation) + " does not exist",
            "It was dropped while the audit was on.",
            "Run bitvelocity.disable_audit() on the table, then enable_audit() again.");
    }
    impl_->owner = pg::OwnerOf(options.trail);
    impl_->Describe(options, source);
    impl_->DescribeTrail();
}

TrailPlan::~TrailPlan() = default;

void TrailPlan::Write(core::Operation operation, HeapTupleData* before, HeapTupleData* after) {
    Impl& plan = *impl_;
    if (plan.busy) {
        pg::Throw(core::kFeatureNotSupported,
                  "cannot change an audited table while its trail is being written",
                  "A conversion of one of its values to JSON changes the table.");
    }
    Busy in_use(plan.busy);
    const bool update = operation == core::Operation::kUpdate;
    plan.Deform(before, plan.before);
    plan.Deform(after, plan.after);
    if (update && !plan.Compare()) {
        return;
    }
    RoleScope as_owner(plan.owner);
    const std::size_t width = plan.row.size();
    std::vector<Datum> values(width);
    const auto nulls = std::make_unique<bool[]>(width);
    std::fill_n(nulls.get(), width, true);
    {
        PinnedOutput pinned;
        const bool changed_only = update && plan.changed_only;
        if (before != nullptr) {
            // Without a key only the whole old row tells which one it was.
            const bool whole = !changed_only || plan.keys.empty();
            values[kOldValues] = plan.RowJson(plan.before, !whole);
            nulls[kOldValues] = false;
        }
        if (after != nullptr) {
            values[kNewValues] = plan.RowJson(plan.after, changed_only);
            nulls[kNewValues] = false;
        }
        if (update) {
            values[kChangedColumns] = plan.ChangedColumns();
            nulls[kChangedColumns] = false;
            if (plan.KeyChanged()) {
                values[kPreviousKey] = plan.KeyJson(plan.before);
                nulls[kPreviousKey] = false;
            }
        }
        const Image& keyed = after != nullptr ? plan.after : plan.before;
        for (std::size_t i = 0; i < plan.keys.size(); ++i) {
            bool& null = nulls[kTrailColumns + i];
            null = true;
            if (before != nullptr || after != nullptr) {
                values[kTrailColumns + i] = plan.KeyValue(plan.keys[i], keyed, &null);
            }
        }
    }
    plan.Who(operation, values.data(), nulls.get());
    if (plan.inserter->Insert(values.data(), nulls.get())) {
        return;
    }
    // The month is missing, or the owner gave the trail something that evaluates expressions.
    pg::OwnerScope flushing(plan.owner);
    pg::TableWriter writer(plan.trail, plan.row, [](std::uint32_t relation, std::uintptr_t key) {
        pg::MakeMonth(relation, key);
    });
    writer.AddRow(values.data(), nulls.get());
    writer.Flush();
}

}  // namespace bitvelocity::trail
