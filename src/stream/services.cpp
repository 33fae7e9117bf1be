#include "stream/services.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"
#include "stream/slot.hpp"
#include "stream/slot_record.hpp"

namespace bitvelocity::stream {

namespace {

// The stream id in "bitvelocity_<database>_<stream id>"; -1: another name.
std::int64_t StreamOfOrigin(const char* name, Oid database) {
    char prefix[NAMEDATALEN];
    snprintf(prefix, sizeof(prefix), "bitvelocity_%u_", database);
    if (std::strncmp(name, prefix, std::strlen(prefix)) != 0) {
        return -1;
    }
    return strtoll(name + std::strlen(prefix), nullptr, 10);
}

bool Running(Oid database, std::int64_t stream_id) {
    const Entry* entry = FindEntry(database, static_cast<std::int32_t>(stream_id), "", false);
    return entry != nullptr && (entry->decoder_pid.load() != 0 || entry->deliverer_pid.load() != 0);
}

// Drops origins of `database` except those of the streams in `keep` and of running ones. Plain C.
void DropOriginsExcept(Oid database, const std::int64_t* keep, std::size_t keep_count) {
    const Relation catalog = table_open(ReplicationOriginRelationId, RowExclusiveLock);
    const SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, nullptr, 0, nullptr);
    List* names = NIL;
    HeapTuple tuple = nullptr;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        bool is_null = false;
        const Datum value = heap_getattr(tuple, Anum_pg_replication_origin_roname,
                                         RelationGetDescr(catalog), &is_null);
        char* name = text_to_cstring(DatumGetTextPP(value));
        const std::int64_t stream_id = StreamOfOrigin(name, database);
        bool wanted = stream_id < 0 || Running(database, stream_id);
        for (std::size_t i = 0; i < keep_count; ++i) {
            wanted |= keep[i] == stream_id;
        }
        if (!wanted) {
            names = lappend(names, name);
        }
    }
    systable_endscan(scan);
    table_close(catalog, NoLock);
    ListCell* cell = nullptr;
    foreach (cell, names) {
        auto* name = static_cast<char*>(lfirst(cell));
        const RepOriginId origin = replorigin_by_name(name, true);
        if (origin != InvalidRepOriginId) {
            replorigin_drop_by_name(name, true, true);
            MarkOwnOrigin(origin, false);
        }
    }
}

}  // namespace

std::vector<worker::Service> ListServices() {
    std::vector<worker::Service> services;
    std::vector<std::string> slots;
    std::vector<std::int64_t> ids;
    {
        pg::SpiScope spi;
        const pg::Rows rows = spi.Execute(
            "SELECT stream_id, stream_name, slot_name, version, home AND NOT paused AND phase <> "
            "'needs_resync', home AND phase <> 'needs_resync' FROM bitvelocity.stream, "
            "bitvelocity.stream_is_home(system_identifier, database_oid, catalog_oid) home");
        for (std::size_t i = 0; i < rows.size(); ++i) {
            ids.push_back(rows.Int(i, 1));
            // The slot of a stream that begins anew is of no use, and it retains WAL.
            if (rows.Bool(i, 6)) {
                slots.push_back(rows.Text(i, 3).value_or(""));
            }
            if (rows.Bool(i, 5)) {
                worker::Service service;
                service.id = rows.Int(i, 1);
                service.name = rows.Text(i, 2).value_or("");
                service.version = static_cast<std::uint64_t>(rows.Int(i, 4));
                services.push_back(std::move(service));
            }
        }
    }
    std::vector<const char*> keep;
    for (const std::string& slot : slots) {
        keep.push_back(slot.c_str());
    }
    pg::Call([names = keep.data(), count = static_cast<int>(keep.size()), streams = ids.data(),
              stream_count = ids.size()]() {
        DropSlotsExcept(MyDatabaseId, names, count);
        RemoveSlotRecordsExcept(MyDatabaseId, names, count);
        DropOriginsExcept(MyDatabaseId, streams, stream_count);
    });
    return services;
}

void Uninstall(core::Oid database) {
    pg::TransactionScope transaction;
    pg::Call([database]() {
        DropSlotsExcept(database, nullptr, 0);
        RemoveSlotRecordsExcept(database, nullptr, 0);
        DropOriginsExcept(database, nullptr, 0);
    });
    transaction.Commit();
}

void DatabaseDropped(core::Oid database) {
    RemoveSlotRecordsExcept(database, nullptr, 0);
    DropOriginsExcept(database, nullptr, 0);
}

}  // namespace bitvelocity::stream
