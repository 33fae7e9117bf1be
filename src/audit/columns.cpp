// add_audit_columns() and the two triggers that keep the columns.
//
//   created_at, created_by   defaults, so that COPY stays fast; an UPDATE cannot change them
//   updated_at, updated_by   set by an UPDATE that changes anything else
//   version                  1, then one more with every such UPDATE
//   deleted_at, deleted_by   set deleted_at and deleted_by follows; with soft_delete DELETE sets it
//
// Rows from before have NULL: nobody knows, and nothing is rewritten. Columns are found by name, so
// that they may be renamed away or dropped one by one.

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::audit {

namespace {

struct AuditColumn {
    const char* name;
    const char* type;
    const char* default_value;
};

constexpr AuditColumn kColumns[] = {
    {"created_at", "timestamptz", "pg_catalog.now()"},
    {"created_by", "text", "bitvelocity.current_actor()"},
    {"updated_at", "timestamptz", nullptr},
    {"updated_by", "text", nullptr},
    {"version", "integer", "1"},
    {"deleted_at", "timestamptz", nullptr},
    {"deleted_by", "text", nullptr},
};

std::string TypeOf(Oid relation, const char* column) {
    const char* type = pg::Call([relation, column]() -> const char* {
        const AttrNumber number = get_attnum(relation, column);
        return number > 0 ? format_type_be(get_atttype(relation, number)) : "";
    });
    return type;
}

bool Suits(const std::string& have, const std::string& want) {
    if (want == "text") {
        return have == "text" || have == "character varying";
    }
    if (want == "integer") {
        return have == "integer" || have == "bigint";
    }
    return have == "timestamp with time zone";
}

void AddColumns(Oid relation, const std::string& table, pg::SpiScope& spi) {
    for (const AuditColumn& column : kColumns) {
        const std::string have = TypeOf(relation, column.name);
        if (!have.empty() && !Suits(have, column.type)) {
            pg::Throw("42804",
                      std::string("column \"") + column.name + "\" of table " + table +
                          " is of type " + have,
                      std::string("As an audit column it is of type ") + column.type + ".",
                      "Rename or convert the column first.");
        }
        const std::string alter = "ALTER TABLE " + table;
        if (have.empty()) {
            spi.Execute(alter + " ADD COLUMN " + column.name + " " + column.type);
        }
        // Behind ADD COLUMN, so that existing rows stay NULL.
        if (column.default_value != nullptr) {
            spi.Execute(alter + " ALTER COLUMN " + column.name + " SET DEFAULT " +
                        column.default_value);
        }
    }
}

void Add(Oid relation, bool soft_delete, bool optimistic_lock) {
    pg::RequireOwner(relation);
    const std::string table = pg::QualifiedName(relation);
    const char kind = pg::Call([relation]() { return get_rel_relkind(relation); });
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) {
        pg::Throw("42809", table + " is not a table");
    }
    if (pg::Call([relation]() { return get_rel_relispartition(relation); })) {
        pg::Throw("42809", table + " is a partition", {},
                  "Add the columns to the partitioned table: its partitions get them, too.");
    }
    pg::OwnerScope as_owner(pg::OwnerOf(relation));
    pg::SpiScope spi;
    AddColumns(relation, table, spi);
    spi.Execute("CREATE OR REPLACE TRIGGER bitvelocity_stamp BEFORE UPDATE ON " + table +
                " FOR EACH ROW EXECUTE FUNCTION bitvelocity.audit_stamp(" +
                (optimistic_lock ? "'optimistic_lock'" : "") + ")");
    if (soft_delete) {
        spi.Execute("CREATE OR REPLACE TRIGGER bitvelocity_soft_delete BEFORE DELETE ON " + table +
                    " FOR EACH ROW EXECUTE FUNCTION bitvelocity.audit_soft_delete()");
    } else if (pg::Call([relation]() {
                   return OidIsValid(get_trigger_oid(relation, "bitvelocity_soft_delete", true));
               })) {
        spi.Execute("DROP TRIGGER bitvelocity_soft_delete ON " + table);
    }
}

TriggerData* CalledBefore(FunctionCallInfo fcinfo, const char* name, bool update) {
    auto* trigger =
        CALLED_AS_TRIGGER(fcinfo) ? reinterpret_cast<TriggerData*>(fcinfo->context) : nullptr;
    if (trigger == nullptr || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
        !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
        (update ? !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)
                : !TRIGGER_FIRED_BY_DELETE(trigger->tg_event))) {
        pg::Throw("39P01", std::string(name) + " can only be called as a BEFORE " +
                               (update ? "UPDATE" : "DELETE") + " row trigger");
    }
    return trigger;
}

// One row of an UPDATE, while it is being stamped. Plain data, used inside one guarded call.
struct Row {
    TupleDesc desc;
    Datum* before;
    bool* before_null;
    Datum* after;
    bool* after_null;

    // A column that has another type by now is none of ours any more.
    int Find(const char* name, Oid type, Oid or_type) const {
        const int number = SPI_fnumber(desc, name);
        if (number <= 0) {
            return -1;
        }
        const Oid have = TupleDescAttr(desc, number - 1)->atttypid;
        return have == type || have == or_type ? number - 1 : -1;
    }
    void Keep(int column) const {
        if (column >= 0) {
            after[column] = before[column];
            after_null[column] = before_null[column];
        }
    }
    void Set(int column, Datum value, bool is_null) const {
        if (column >= 0) {
            after[column] = value;
            after_null[column] = is_null;
        }
    }
    bool Same(int column) const {
        if (before_null[column] || after_null[column]) {
            return before_null[column] == after_null[column];
        }
        const Form_pg_attribute attribute = TupleDescAttr(desc, column);
        if (attribute->attlen == -1) {
            const auto* left = reinterpret_cast<varlena*>(DatumGetPointer(before[column]));
            const auto* right = reinterpret_cast<varlena*>(DatumGetPointer(after[column]));
            if (VARATT_IS_EXTERNAL_ONDISK(left) && VARATT_IS_EXTERNAL_ONDISK(right) &&
                std::memcmp(left, right, VARSIZE_EXTERNAL(left)) == 0) {
                return true;
            }
        }
        return datum_image_eq(before[column], after[column], attribute->attbyval,
                              attribute->attlen);
    }
};

std::int64_t Number(const Row& row, int column, const Datum* values, const bool* nulls) {
    if (column < 0 || nulls[column]) {
        return 0;
    }
    return TupleDescAttr(row.desc, column)->atttypid == INT8OID ? DatumGetInt64(values[column])
                                                                : DatumGetInt32(values[column]);
}

// As the column takes it: varchar(n) holds n characters.
Datum Actor(const Row& row, int column) {
    const char* actor = pg::settings::actor;
    if (actor == nullptr || *actor == '\0') {
        actor = GetUserNameFromId(GetSessionUserId(), false);
    }
    int length = static_cast<int>(std::strlen(actor));
    if (column >= 0) {
        const Form_pg_attribute attribute = TupleDescAttr(row.desc, column);
        if (attribute->atttypid == VARCHAROID && attribute->atttypmod > VARHDRSZ) {
            length = pg_mbcharcliplen(actor, length, attribute->atttypmod - VARHDRSZ);
        }
    }
    return PointerGetDatum(cstring_to_text_with_len(actor, length));
}

void RequireVersion(const TriggerData* trigger, const Row& row, int version) {
    const std::int64_t now = Number(row, version, row.before, row.before_null);
    const std::int64_t seen = Number(row, version, row.after, row.after_null);
    if (now != seen) {
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("row of table \"%s\" has been changed by somebody else",
                               RelationGetRelationName(trigger->tg_relation)),
                        errdetail("The update is based on version %lld, the row has version %lld.",
                                  static_cast<long long>(seen), static_cast<long long>(now)),
                        errhint("Read the row again and repeat the change.")));
    }
}

HeapTuple Stamp(const TriggerData* trigger) {
    const TupleDesc desc = RelationGetDescr(trigger->tg_relation);
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * 2 * desc->natts));
    auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * 2 * desc->natts));
    const Row row{desc, values, nulls, values + desc->natts, nulls + desc->natts};
    heap_deform_tuple(trigger->tg_trigtuple, desc, row.before, row.before_null);
    heap_deform_tuple(trigger->tg_newtuple, desc, row.after, row.after_null);

    const int created_at = row.Find("created_at", TIMESTAMPTZOID, InvalidOid);
    const int created_by = row.Find("created_by", TEXTOID, VARCHAROID);
    const int updated_at = row.Find("updated_at", TIMESTAMPTZOID, InvalidOid);
    const int updated_by = row.Find("updated_by", TEXTOID, VARCHAROID);
    const int version = row.Find("version", INT4OID, INT8OID);
    const int deleted_at = row.Find("deleted_at", TIMESTAMPTZOID, InvalidOid);
    const int deleted_by = row.Find("deleted_by", TEXTOID, VARCHAROID);
    if (trigger->tg_trigger->tgnargs > 0 && version >= 0) {
        RequireVersion(trigger, row, version);
    }
    row.Keep(created_at);
    row.Keep(created_by);
    row.Keep(updated_at);
    row.Keep(updated_by);
    row.Keep(version);
    row.Keep(deleted_by);
    bool changed = false;
    for (int i = 0; i < desc->natts && !changed; ++i) {
        // A generated column follows the others, after this trigger.
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        changed = !attribute->attisdropped && attribute->attgenerated == '\0' && !row.Same(i);
    }
    if (changed) {
        row.Set(updated_at, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), false);
        row.Set(updated_by, Actor(row, updated_by), false);
        const std::int64_t next = Number(row, version, row.before, row.before_null) + 1;
        row.Set(version,
                version >= 0 && TupleDescAttr(desc, version)->atttypid == INT8OID
                    ? Int64GetDatum(next)
                    : Int32GetDatum(static_cast<std::int32_t>(next)),
                false);
        if (deleted_at >= 0 && row.before_null[deleted_at] != row.after_null[deleted_at]) {
            row.Set(deleted_by, Actor(row, deleted_by), row.after_null[deleted_at]);
        }
    }
    const HeapTuple stamped = heap_form_tuple(desc, row.after, row.after_null);
    stamped->t_data->t_ctid = trigger->tg_newtuple->t_data->t_ctid;
    stamped->t_self = trigger->tg_newtuple->t_self;
    stamped->t_tableOid = trigger->tg_newtuple->t_tableOid;
    return stamped;
}

// An UPDATE that moves a row to another partition deletes it in the old one: the BEFORE DELETE
// trigger fires right after the BEFORE UPDATE trigger for the same row of the same statement, and
// nothing else tells it from a DELETE. So the stamp remembers its last row as long as the statement
// lives. A statement is known by the memory that its executor keeps the triggers' functions in.
// Nested statements have one entry each.
struct Stamped {
    Oid relation;
    ItemPointerData row;
    MemoryContext statement;  // which the entry lives in, too
    MemoryContextCallback ended;
    Stamped* outer;
};

Stamped* innermost = nullptr;

Stamped* FindStamped(MemoryContext statement) {
    Stamped* entry = innermost;
    while (entry != nullptr && entry->statement != statement) {
        entry = entry->outer;
    }
    return entry;
}

void Forget(void* ended) {
    Stamped** link = &innermost;
    while (*link != nullptr && *link != ended) {
        link = &(*link)->outer;
    }
    if (*link != nullptr) {
        *link = (*link)->outer;
    }
}

// Plain, may raise.
void Remember(const TriggerData* trigger, MemoryContext statement) {
    Stamped* entry = FindStamped(statement);
    if (entry == nullptr) {
        entry = static_cast<Stamped*>(MemoryContextAllocZero(statement, sizeof(Stamped)));
        entry->statement = statement;
        entry->ended.func = Forget;
        entry->ended.arg = entry;
        MemoryContextRegisterResetCallback(statement, &entry->ended);
        entry->outer = innermost;
        innermost = entry;
    }
    entry->relation = RelationGetRelid(trigger->tg_relation);
    entry->row = trigger->tg_trigtuple->t_self;
}

bool Moves(const TriggerData* trigger, MemoryContext statement) {
    Stamped* entry = FindStamped(statement);
    return entry != nullptr && entry->relation == RelationGetRelid(trigger->tg_relation) &&
           ItemPointerEquals(&entry->row, &trigger->tg_trigtuple->t_self);
}

// True: the DELETE has become an UPDATE.
bool SoftDelete(const TriggerData* trigger) {
    struct Seen {
        bool deleted;
        bool nested;
        ItemPointerData tid;
        Oid relation;
    };
    const Seen seen = pg::Call([trigger]() -> Seen {
        const TupleDesc desc = RelationGetDescr(trigger->tg_relation);
        bool is_null = true;
        const int column = SPI_fnumber(desc, "deleted_at");
        if (column > 0) {
            heap_getattr(trigger->tg_trigtuple, column, desc, &is_null);
        }
        const int depth = DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH));
        return {column <= 0 || !is_null, depth > 1, trigger->tg_trigtuple->t_self,
                RelationGetRelid(trigger->tg_relation)};
    });
    if (seen.deleted || seen.nested) {
        return false;
    }
    pg::OwnerScope as_owner(pg::OwnerOf(seen.relation));
    const Datum tid = PointerGetDatum(&seen.tid);
    pg::SpiScope spi;
    // Where another trigger calls the update off, the row stays as it is.
    spi.Execute("UPDATE ONLY " + pg::QualifiedName(seen.relation) +
                    " SET deleted_at = pg_catalog.now() WHERE ctid = $1",
                {pg::Param::Raw(TIDOID, tid, false)});
    return true;
}

}  // namespace

}  // namespace bitvelocity::audit

// add_audit_columns(target, soft_delete, optimistic_lock) RETURNS void
BV_FUNCTION(bitvelocity_add_audit_columns) {
    bitvelocity::audit::Add(PG_GETARG_OID(0), PG_GETARG_BOOL(1), PG_GETARG_BOOL(2));
    return static_cast<Datum>(0);
}

BV_FUNCTION(bitvelocity_audit_stamp) {
    const TriggerData* trigger = bitvelocity::audit::CalledBefore(fcinfo, "audit_stamp()", true);
    return bitvelocity::pg::Call([trigger, fcinfo]() {
        HeapTuple stamped = bitvelocity::audit::Stamp(trigger);
        if (trigger->tg_relation->rd_rel->relispartition) {
            bitvelocity::audit::Remember(trigger, fcinfo->flinfo->fn_mcxt);
        }
        return PointerGetDatum(stamped);
    });
}

// A row that is marked already, or that a foreign key or another trigger deletes, is really
// deleted; one that moves to another partition is deleted in the old one.
BV_FUNCTION(bitvelocity_audit_soft_delete) {
    const TriggerData* trigger =
        bitvelocity::audit::CalledBefore(fcinfo, "audit_soft_delete()", false);
    if (bitvelocity::audit::Moves(trigger, fcinfo->flinfo->fn_mcxt) ||
        !bitvelocity::audit::SoftDelete(trigger)) {
        return PointerGetDatum(trigger->tg_trigtuple);
    }
    return PointerGetDatum(nullptr);
}
