#include "stream/described_types.hpp"

#include "stream/type_record.hpp"

namespace bitvelocity::stream {

namespace {

struct Description {
    Oid relid;  // hash key
    std::uint64_t generation;
    StringInfoData relation;
    StringInfoData types;
};

// One decoder a process.
struct Watched {
    MemoryContext memory;
    HTAB* descriptions;  // by table, those with types of users
    HTAB* types;         // hash values of TYPEOID
    HTAB* composites;    // pg_class oids
    StringInfoData again;
    std::uint64_t generation;
    long outdated;       // descriptions of an older generation
    bool has_user_type;  // seen while a record was made
};

Watched g_watched;

void Outdate() {
    ++g_watched.generation;
    g_watched.outdated = hash_get_num_entries(g_watched.descriptions);
}

// For a table that is described anew: it may have been outdated, or be so already.
void CountOutdated() {
    HASH_SEQ_STATUS all;
    hash_seq_init(&all, g_watched.descriptions);
    g_watched.outdated = 0;
    while (auto* each = static_cast<Description*>(hash_seq_search(&all))) {
        g_watched.outdated += each->generation != g_watched.generation ? 1 : 0;
    }
}

void OnRelation(Datum /*argument*/, Oid relation) {
    if (relation == InvalidOid ||
        hash_search(g_watched.composites, &relation, HASH_FIND, nullptr) != nullptr) {
        Outdate();
    }
}

void OnType(Datum /*argument*/, int cache, uint32 hash) {
    // A label's hash value does not tell its type; enums are seldom altered.
    if (cache == ENUMTYPOIDNAME || hash == 0 ||
        hash_search(g_watched.types, &hash, HASH_FIND, nullptr) != nullptr) {
        Outdate();
    }
}

void See(Oid type, Oid composite) {
    if (type < FirstNormalObjectId) {
        return;
    }
    g_watched.has_user_type = true;
    const uint32 hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type));
    hash_search(g_watched.types, &hash, HASH_ENTER, nullptr);
    if (OidIsValid(composite)) {
        hash_search(g_watched.composites, &composite, HASH_ENTER, nullptr);
    }
}

HTAB* MakeHash(const char* name, std::size_t entry_size) {
    HASHCTL control{};
    control.keysize = sizeof(Oid);
    control.entrysize = entry_size;
    control.hcxt = g_watched.memory;
    return hash_create(name, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

Oid RelationOf(const char* message) {
    uint32 network = 0;
    std::memcpy(&network, message + 1, sizeof(network));
    return pg_ntoh32(network);
}

// A table whose last column of a user's type is gone.
void Forget(Oid relid) {
    auto* description =
        static_cast<Description*>(hash_search(g_watched.descriptions, &relid, HASH_FIND, nullptr));
    if (description != nullptr) {
        pfree(description->relation.data);
        pfree(description->types.data);
        (void)hash_search(g_watched.descriptions, &relid, HASH_REMOVE, nullptr);
        CountOutdated();
    }
}

void Keep(StringInfo into, const char* bytes, std::size_t length) {
    resetStringInfo(into);
    appendBinaryStringInfo(into, bytes, static_cast<int>(length));
}

}  // namespace

void WatchTypes() {
    g_watched.memory =
        AllocSetContextCreate(TopMemoryContext, "bitvelocity types", ALLOCSET_DEFAULT_SIZES);
    g_watched.descriptions = MakeHash("bitvelocity descriptions", sizeof(Description));
    g_watched.types = MakeHash("bitvelocity types", sizeof(uint32));
    g_watched.composites = MakeHash("bitvelocity composites", sizeof(Oid));
    const MemoryContext old = MemoryContextSwitchTo(g_watched.memory);
    initStringInfo(&g_watched.again);
    MemoryContextSwitchTo(old);
    CacheRegisterRelcacheCallback(OnRelation, 0);
    CacheRegisterSyscacheCallback(TYPEOID, OnType, 0);
    CacheRegisterSyscacheCallback(ENUMTYPOIDNAME, OnType, 0);
}

void DescribeTypes(const char* relation_message, std::size_t length, StringInfo record) {
    // What is invalidated while the catalogue is read makes this description old again.
    const std::uint64_t generation = g_watched.generation;
    g_watched.has_user_type = false;
    resetStringInfo(record);
    AppendTypeRecord(record, relation_message, length, See);
    const Oid relid = RelationOf(relation_message);
    if (!g_watched.has_user_type) {
        Forget(relid);
        return;
    }
    bool found = false;
    auto* description =
        static_cast<Description*>(hash_search(g_watched.descriptions, &relid, HASH_ENTER, &found));
    if (!found) {
        const MemoryContext old = MemoryContextSwitchTo(g_watched.memory);
        initStringInfo(&description->relation);
        initStringInfo(&description->types);
        MemoryContextSwitchTo(old);
    }
    description->generation = generation;
    CountOutdated();
    Keep(&description->relation, relation_message, length);
    Keep(&description->types, record->data, static_cast<std::size_t>(record->len));
}

bool TypesChanged(const char* message, std::size_t length, Redescription* again) {
    if (g_watched.outdated == 0 || length < 1 + sizeof(Oid) ||
        (message[0] != 'I' && message[0] != 'U' && message[0] != 'D')) {
        return false;
    }
    const Oid relid = RelationOf(message);
    auto* description =
        static_cast<Description*>(hash_search(g_watched.descriptions, &relid, HASH_FIND, nullptr));
    if (description == nullptr || description->generation == g_watched.generation) {
        return false;
    }
    description->generation = g_watched.generation;
    --g_watched.outdated;
    const StringInfo relation = &description->relation;
    resetStringInfo(&g_watched.again);
    AppendTypeRecord(&g_watched.again, relation->data, static_cast<std::size_t>(relation->len),
                     See);
    StringInfo types = &description->types;
    if (types->len == g_watched.again.len &&
        std::memcmp(types->data, g_watched.again.data, static_cast<std::size_t>(types->len)) == 0) {
        return false;
    }
    Keep(types, g_watched.again.data, static_cast<std::size_t>(g_watched.again.len));
    *again = {relation->data, static_cast<std::size_t>(relation->len), types->data,
              static_cast<std::size_t>(types->len)};
    return true;
}

}  // namespace bitvelocity::stream
