#include "trail/bronze_table.hpp"

#include "pg/boundary.hpp"
#include "pg/month_partition.hpp"
#include "pg/postgres.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"

namespace bitvelocity::trail {

namespace {

// The lock is on (pg_class, table, this number): nobody else locks a table under a sub-id, and
// unlike an advisory lock it cannot be taken from SQL.
constexpr std::uint16_t kSequenceLock = 0x6276;
constexpr int kPremake = 4;

constexpr char kColumns[] = R"((
    event_id uuid NOT NULL,
    event_timestamp timestamptz NOT NULL,
    source_system text NOT NULL,
    operation_type text NOT NULL
        CHECK (operation_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'READ')),
    table_name text NOT NULL,
    raw_payload jsonb,
    ingestion_date date NOT NULL DEFAULT CURRENT_DATE,
    before_payload jsonb,
    source_epoch integer NOT NULL,
    commit_lsn pg_lsn NOT NULL,
    ordinal bigint NOT NULL,
    part integer NOT NULL DEFAULT 0,
    transaction_id xid8,
    actor text,
    correlation_id uuid,
    traceparent text,
    sequence bigint NOT NULL,
    PRIMARY KEY (sequence, ingestion_date)))";

struct Name {
    std::string schema;
    std::string table;
};

// "schema.table", "table", each part perhaps quoted; empty: bronze_<source>.
Name TargetName(std::uint32_t source, const std::string& target) {
    Name name{pg::RelationSchema(source), "bronze_" + pg::RelationName(source)};
    if (target.empty()) {
        if (name.table.size() >= NAMEDATALEN) {
            pg::Throw("42622", "the name \"" + name.table + "\" is too long",
                      "A name has at most " + std::to_string(NAMEDATALEN - 1) + " bytes.",
                      "Give the bronze table's name as target.");
        }
        return name;
    }
    struct Parts {
        const char* schema;
        const char* table;
    };
    const Parts parts = pg::Call([text = target.c_str()]() -> Parts {
        const RangeVar* range =
            makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(text)));
        return {range->schemaname, range->relname};
    });
    name.table = parts.table;
    if (parts.schema != nullptr) {
        name.schema = parts.schema;
    }
    return name;
}

void RefuseOddSource(std::uint32_t source) {
    const char kind = pg::Call([source]() { return get_rel_relkind(source); });
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) {
        pg::Throw("42809", pg::QualifiedName(source) + " is not a table",
                  "Changes are read from the WAL of ordinary and partitioned tables.");
    }
}

// What has the name already: a bronze table of an earlier stream, which goes on, or a refusal.
Oid FindOrphan(const Name& name, std::uint32_t owner) {
    const Oid found = pg::Call([schema = name.schema.c_str(), table = name.table.c_str()]() {
        return get_relname_relid(table, get_namespace_oid(schema, false));
    });
    if (!OidIsValid(found)) {
        return InvalidOid;
    }
    const std::string relation = pg::QualifiedName(found);
    const char* hint = "Rename it, or call create_bronze with another name as target.";
    if (!IsBronzeTable(found) || pg::OwnerOf(found) != owner) {
        pg::Throw("42P07", "relation " + relation + " already exists", {}, hint);
    }
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Rows user = spi.Execute(
        "SELECT s.stream_name FROM bitvelocity.stream_table t JOIN bitvelocity.stream s "
        "USING (stream_id) WHERE t.bronze = $1",
        {pg::Param::OidValue(found)});
    if (!user.empty()) {
        pg::Throw("42P07", "relation " + relation + " already exists",
                  "Stream \"" + user.Text(0, 1).value_or("") + "\" writes it.", hint);
    }
    return found;
}

std::string FreeSequenceName(const Name& name) {
    for (int number = 0;; ++number) {
        const std::string suffix =
            "_sequence_seq" + (number == 0 ? std::string() : std::to_string(number));
        std::string candidate = name.table;
        candidate.resize(pg_mbcliplen(candidate.c_str(), static_cast<int>(candidate.size()),
                                      NAMEDATALEN - 1 - static_cast<int>(suffix.size())));
        candidate += suffix;
        const Oid taken = pg::Call([schema = name.schema.c_str(), c = candidate.c_str()]() {
            return get_relname_relid(c, get_namespace_oid(schema, false));
        });
        if (!OidIsValid(taken)) {
            return candidate;
        }
    }
}

// DROP EXTENSION takes the trigger and leaves the table.
void EnsureTrigger(pg::SpiScope& spi, const std::string& table, Oid bronze) {
    if (spi.Execute("SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND "
                    "tgname = 'bitvelocity_sequence'",
                    {pg::Param::OidValue(bronze)})
            .empty()) {
        spi.Execute("CREATE TRIGGER bitvelocity_sequence BEFORE INSERT ON " + table +
                    " FOR EACH ROW EXECUTE FUNCTION bitvelocity.bronze_sequence()");
    }
    spi.Execute("ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER bitvelocity_sequence");
}

LOCKTAG SequenceTag(Oid bronze) {
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, bronze, kSequenceLock);
    return tag;
}

}  // namespace

std::uint32_t CreateBronzeTable(std::uint32_t source, const std::string& target) {
    RefuseOddSource(source);
    const Name name = TargetName(source, target);
    const std::string table =
        pg::QuoteIdentifier(name.schema) + "." + pg::QuoteIdentifier(name.table);
    const std::uint32_t owner = pg::OwnerOf(source);
    std::uint32_t oid = FindOrphan(name, owner);
    const bool taken_up = OidIsValid(oid);
    {
        pg::OwnerScope as_owner(owner);
        pg::SpiScope spi;
        if (!taken_up) {
            spi.Execute("CREATE TABLE " + table + " " + kColumns +
                        (pg::PartmanMajor() > 0 ? " PARTITION BY RANGE (ingestion_date)" : ""));
            oid = spi.Execute("SELECT $1::pg_catalog.regclass::pg_catalog.oid",
                              {pg::Param::Text(std::string_view(table))})
                      .OidValue(0, 1);
            spi.Execute("CREATE SEQUENCE " + pg::QuoteIdentifier(name.schema) + "." +
                        pg::QuoteIdentifier(FreeSequenceName(name)) +
                        " AS bigint CACHE 1 OWNED BY " + table + ".sequence");
        }
        EnsureTrigger(spi, table, oid);
        spi.Execute(
            "COMMENT ON TABLE " + table + " IS " +
            pg::QuoteLiteral("Changes of " + pg::QualifiedName(source) +
                             ", one row each, written from the WAL; sequence is their order"));
    }
    const bool partitioned =
        pg::Call([oid]() { return get_rel_relkind(oid); }) == RELKIND_PARTITIONED_TABLE;
    if (partitioned) {
        {
            pg::OwnerScope as_owner(owner);
            pg::PremakeMonths(oid, kPremake);
        }
        pg::CatalogScope catalog;
        pg::SpiScope spi;
        spi.Execute(
            "INSERT INTO bitvelocity.partition_set (relation, premake, managed_by) "
            "VALUES ($1, $2, 'bitvelocity') ON CONFLICT (relation) DO NOTHING",
            {pg::Param::OidValue(oid), pg::Param::Int(kPremake)});
    }
    return oid;
}

bool IsBronzeTable(std::uint32_t relation) {
    return SequenceOf(relation) != 0 && pg::Call([relation]() {
               static constexpr const char* kNames[] = {
                   "event_id",       "event_timestamp", "source_system",  "operation_type",
                   "table_name",     "raw_payload",     "ingestion_date", "before_payload",
                   "source_epoch",   "commit_lsn",      "ordinal",        "part",
                   "transaction_id", "actor",           "correlation_id", "traceparent",
                   "sequence"};
               for (const char* name : kNames) {
                   if (get_attnum(relation, name) <= 0) {
                       return false;
                   }
               }
               return true;
           });
}

std::uint32_t SequenceOf(std::uint32_t bronze) {
    return pg::Call([bronze]() -> Oid {
        const AttrNumber column = get_attnum(bronze, "sequence");
        if (column <= 0) {
            return InvalidOid;
        }
        // The dependency that CREATE SEQUENCE ... OWNED BY records.
        const Relation depend = table_open(DependRelationId, AccessShareLock);
        ScanKeyData key[3];
        ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(RelationRelationId));
        ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(bronze));
        ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ,
                    Int32GetDatum(column));
        const SysScanDesc scan =
            systable_beginscan(depend, DependReferenceIndexId, true, nullptr, 3, key);
        Oid sequence = InvalidOid;
        for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
             tuple = systable_getnext(scan)) {
            const auto* row = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple));
            if (row->classid == RelationRelationId && row->objsubid == 0 &&
                row->deptype == DEPENDENCY_AUTO &&
                get_rel_relkind(row->objid) == RELKIND_SEQUENCE) {
                sequence = row->objid;
                break;
            }
        }
        systable_endscan(scan);
        table_close(depend, AccessShareLock);
        return sequence;
    });
}

bool TryLockSequence(std::uint32_t bronze) {
    return pg::Call([bronze]() {
        const LOCKTAG tag = SequenceTag(bronze);
        return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
    });
}

void LockSequence(std::uint32_t bronze) {
    pg::Call([bronze]() {
        const LOCKTAG tag = SequenceTag(bronze);
        static_cast<void>(LockAcquire(&tag, ExclusiveLock, false, false));
    });
}

int SequenceLockHolder(std::uint32_t bronze) {
    return pg::Call([bronze]() -> int {
        const LOCKTAG tag = SequenceTag(bronze);
        int count = 0;
        const VirtualTransactionId* holders = GetLockConflicts(&tag, ShareLock, &count);
        for (int i = 0; i < count; ++i) {
            const int pid = pg::compat::ProcessOf(holders[i]);
            if (pid != 0) {
                return pid;
            }
        }
        return 0;
    });
}

}  // namespace bitvelocity::trail

// bronze_sequence(): BEFORE INSERT row trigger of a bronze table, for rows that anybody else
// inserts.
BV_FUNCTION(bitvelocity_bronze_sequence) {
    using namespace bitvelocity;  // NOLINT: the body is outside the namespace
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        pg::Throw("39P01", "bronze_sequence() can only be called as a trigger");
    }
    auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
        !TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) {
        pg::Throw("39P01", "bronze_sequence() is a BEFORE INSERT row trigger");
    }
    // On a partition's clone the number still comes from the root's sequence.
    const Oid root = pg::Call([trigger]() {
        const Oid own = RelationGetRelid(trigger->tg_relation);
        if (!trigger->tg_relation->rd_rel->relispartition) {
            return own;
        }
        const List* ancestors = get_partition_ancestors(own);
        return llast_oid(ancestors);
    });
    const Oid sequence = trail::SequenceOf(root);
    if (!OidIsValid(sequence)) {
        pg::Throw(core::kObjectNotInPrerequisiteState,
                  "table " + pg::QualifiedName(root) + " has no sequence of its own",
                  "Its column \"sequence\" has to own one.",
                  "Run ALTER SEQUENCE ... OWNED BY <table>.sequence.");
    }
    trail::LockSequence(root);
    return pg::Call([trigger, sequence]() -> Datum {
        int column = SPI_fnumber(RelationGetDescr(trigger->tg_relation), "sequence");
        Datum number = Int64GetDatum(nextval_internal(sequence, false));
        bool is_null = false;
        return PointerGetDatum(heap_modify_tuple_by_cols(trigger->tg_trigtuple,
                                                         RelationGetDescr(trigger->tg_relation), 1,
                                                         &column, &number, &is_null));
    });
}
