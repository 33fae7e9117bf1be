#include "pg/month_partition.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"
#include "pg/spi.hpp"

namespace bitvelocity::pg {

namespace {

struct Month {
    int year;
    int month;  // 1 to 12
};

// What has to be made: plain data, filled inside a guarded call.
struct Gap {
    bool missing;
    Month month;
    char lower[MAXDATELEN + 1];
    char upper[MAXDATELEN + 1];
};

Month Next(Month m) {
    return m.month == 12 ? Month{m.year + 1, 1} : Month{m.year, m.month + 1};
}

bool IsTime(Oid type) {
    return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

// Days since PostgreSQL's epoch of a month's first day.
std::int64_t FirstDay(Month m) {
    return date2j(m.year, m.month, 1) - POSTGRES_EPOCH_JDATE;
}

std::int64_t FromDays(Oid type, std::int64_t days) {
    return type == DATEOID ? days : days * USECS_PER_DAY;
}

std::int64_t AsInteger(Oid type, Datum value) {
    return type == DATEOID ? DatumGetDateADT(value) : DatumGetTimestamp(value);
}

Datum FromInteger(Oid type, std::int64_t value) {
    return type == DATEOID ? DateADTGetDatum(static_cast<DateADT>(value))
                           : TimestampGetDatum(value);
}

bool MonthOf(Oid type, Datum key, Month* month) {
    std::int64_t days = 0;
    if (type == DATEOID) {
        if (DATE_NOT_FINITE(DatumGetDateADT(key))) {
            return false;
        }
        days = DatumGetDateADT(key);
    } else {
        const Timestamp at = DatumGetTimestamp(key);
        if (TIMESTAMP_NOT_FINITE(at)) {
            return false;
        }
        days = at / USECS_PER_DAY - (at % USECS_PER_DAY < 0 ? 1 : 0);
    }
    int day = 0;
    j2date(static_cast<int>(days + POSTGRES_EPOCH_JDATE), &month->year, &month->month, &day);
    return true;
}

// Looks at the bounds as they are now. The caller holds at least a lock that keeps the table alive.
Gap FindGap(Oid relation_id, Datum key) {
    Gap gap{};
    const Relation relation = table_open(relation_id, NoLock);
    const PartitionKey partition_key = RelationGetPartitionKey(relation);
    if (partition_key == nullptr || partition_key->strategy != PARTITION_STRATEGY_RANGE ||
        partition_key->partnatts != 1 || !IsTime(partition_key->parttypid[0]) ||
        !MonthOf(partition_key->parttypid[0], key, &gap.month)) {
        table_close(relation, NoLock);
        return gap;
    }
    const Oid type = partition_key->parttypid[0];
    std::int64_t lower = FromDays(type, FirstDay(gap.month));
    std::int64_t upper = FromDays(type, FirstDay(Next(gap.month)));
    const PartitionBoundInfo bounds = RelationGetPartitionDesc(relation, false)->boundinfo;
    gap.missing = true;
    if (bounds != nullptr) {
        bool equal = false;
        const int at = partition_range_datum_bsearch(
            partition_key->partsupfunc, partition_key->partcollation, bounds, 1, &key, &equal);
        gap.missing = bounds->indexes[at + 1] < 0 && !partition_bound_has_default(bounds);
        if (at >= 0 && bounds->kind[at][0] == PARTITION_RANGE_DATUM_VALUE) {
            lower = std::max(lower, AsInteger(type, bounds->datums[at][0]));
        }
        if (at + 1 < bounds->ndatums && bounds->kind[at + 1][0] == PARTITION_RANGE_DATUM_VALUE) {
            upper = std::min(upper, AsInteger(type, bounds->datums[at + 1][0]));
        }
    }
    // Unlike the output function this form depends on no setting.
    const int utc = 0;
    const int* zone = type == TIMESTAMPTZOID ? &utc : nullptr;
    JsonEncodeDateTime(gap.lower, FromInteger(type, lower), type, zone);
    JsonEncodeDateTime(gap.upper, FromInteger(type, upper), type, zone);
    table_close(relation, NoLock);
    return gap;
}

std::string LeafName(Oid relation, Month month, int attempt) {
    char suffix[32];
    if (const int major = PartmanMajor(); major > 0 && major < 5) {
        snprintf(suffix, sizeof(suffix), "_p%04d_%02d", month.year, month.month);
    } else {
        snprintf(suffix, sizeof(suffix), "_p%04d%02d01", month.year, month.month);
    }
    std::string tail = suffix;
    if (attempt > 0) {
        tail += "_" + std::to_string(attempt);
    }
    std::string name = RelationName(relation);
    const int room = NAMEDATALEN - 1 - static_cast<int>(tail.size());
    name.resize(pg_mbcliplen(name.c_str(), static_cast<int>(name.size()), room));
    return name + tail;
}

bool Exists(const std::string& schema, const std::string& name) {
    return Call([s = schema.c_str(), n = name.c_str()]() {
        return OidIsValid(get_relname_relid(n, get_namespace_oid(s, false)));
    });
}

void Create(Oid relation, const Gap& gap) {
    const std::string schema = RelationSchema(relation);
    std::string name = LeafName(relation, gap.month, 0);
    for (int attempt = 1; Exists(schema, name); ++attempt) {
        name = LeafName(relation, gap.month, attempt);
    }
    const std::string parent = QualifiedName(relation);
    const std::string leaf = QuoteIdentifier(schema) + "." + QuoteIdentifier(name);
    const std::string bounds =
        " FOR VALUES FROM (" + QuoteLiteral(gap.lower) + ") TO (" + QuoteLiteral(gap.upper) + ")";
    // ALTER TABLE refuses a table that a statement of this session has open; the other way takes
    // ACCESS EXCLUSIVE, but does not mind.
    const bool in_use = Call([relation]() {
        const Relation opened = table_open(relation, NoLock);
        const bool busy = opened->rd_refcnt > 1 || AfterTriggerPendingOnRel(relation);
        table_close(opened, NoLock);
        return busy;
    });
    SpiScope spi;
    if (in_use) {
        spi.Execute("CREATE TABLE " + leaf + " PARTITION OF " + parent + bounds);
        return;
    }
    spi.Execute("CREATE TABLE " + leaf + " (LIKE " + parent +
                " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE "
                "INCLUDING COMPRESSION)");
    spi.Execute("ALTER TABLE " + parent + " ATTACH PARTITION " + leaf + bounds);
}

bool MakeIfMissing(Oid relation, Datum key) {
    if (!Call([relation, key]() { return FindGap(relation, key).missing; })) {
        return false;
    }
    // Whoever made it meanwhile has committed once the lock is ours.
    const Gap gap = Call([relation, key]() {
        LockRelationOid(relation, ShareUpdateExclusiveLock);
        return FindGap(relation, key);
    });
    if (!gap.missing) {
        return false;
    }
    Create(relation, gap);
    Call([]() { CommandCounterIncrement(); });
    return true;
}

}  // namespace

int PartmanMajor() {
    return Call([]() -> int {
        const Oid extension = get_extension_oid("pg_partman", true);
        if (!OidIsValid(extension)) {
            return 0;
        }
        int major = 0;
        const Relation catalog = table_open(ExtensionRelationId, AccessShareLock);
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(extension));
        const SysScanDesc scan =
            systable_beginscan(catalog, ExtensionOidIndexId, true, nullptr, 1, &key);
        const HeapTuple tuple = systable_getnext(scan);
        if (HeapTupleIsValid(tuple)) {
            bool is_null = false;
            const Datum version = heap_getattr(tuple, Anum_pg_extension_extversion,
                                               RelationGetDescr(catalog), &is_null);
            major = is_null ? 0 : std::atoi(TextDatumGetCString(version));
        }
        systable_endscan(scan);
        table_close(catalog, AccessShareLock);
        return major;
    });
}

void MakeMonth(std::uint32_t relation, std::uintptr_t key) {
    MakeIfMissing(relation, key);
}

int PremakeMonths(std::uint32_t relation, int ahead) {
    struct Key {
        Oid type;
        std::int64_t today;
    };
    const Key key = Call([relation]() -> Key {
        const Relation opened = table_open(relation, AccessShareLock);
        const PartitionKey partition_key = RelationGetPartitionKey(opened);
        const Oid type = partition_key != nullptr && partition_key->partnatts == 1
                             ? partition_key->parttypid[0]
                             : InvalidOid;
        table_close(opened, NoLock);
        return {type, GetCurrentTransactionStartTimestamp() / USECS_PER_DAY};
    });
    if (!IsTime(key.type)) {
        return 0;
    }
    int made = 0;
    Month month{};
    MonthOf(DATEOID, DateADTGetDatum(static_cast<DateADT>(key.today)), &month);
    for (int i = 0; i <= ahead; ++i, month = Next(month)) {
        const Datum first = FromInteger(key.type, FromDays(key.type, FirstDay(month)));
        made += MakeIfMissing(relation, first) ? 1 : 0;
    }
    return made;
}

}  // namespace bitvelocity::pg
