#include "pg/row_inserter.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::pg {

namespace {

// A predicate of an index: whether this column is NULL.
struct NullCondition {
    AttrNumber column;
    bool null;
};

struct Index {
    Oid oid;
    IndexInfo* info;
    NullCondition* conditions;
    int condition_count;
};

enum class Case : std::uint8_t { kUnknown, kPlain, kOther };

// Plain data only: it is filled and used inside guarded calls.
struct State {
    Oid relation;
    const WriterColumn* columns;
    int column_count;

    MemoryContext memory;  // of what follows
    Case found;
    bool stale;  // something has changed since it was looked at
    Oid leaf;
    int attributes;
    int* given;      // per attribute of the leaf: which of the columns; -1: NULL
    bool* required;  // per attribute: NOT NULL
    int key;         // which of the columns decides the leaf; -1: there is one only
    std::int64_t lower;
    std::int64_t upper;
    Index* indexes;
    int index_count;
};

struct States {
    std::vector<State*> all;
    bool registered = false;
};

States& TheStates() {
    static States* const states = new States;  // lives as long as the process
    return *states;
}

// A change of an index invalidates its table, too, or is seen when the index is opened.
void Invalidate(Datum /*argument*/, Oid relation) {
    for (State* state : TheStates().all) {
        if (relation == InvalidOid || relation == state->relation || relation == state->leaf) {
            state->stale = true;
        }
    }
}

bool AsInteger(Oid type, Datum value, std::int64_t* result) {
    switch (type) {
        case DATEOID:
        case INT4OID:
            *result = DatumGetInt32(value);
            return true;
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
        case INT8OID:
            *result = DatumGetInt64(value);
            return true;
        default:
            return false;
    }
}

// Comparing values of other types may call functions of a user.
bool ComparesBuiltIn(Oid type) {
    const Oid base = getBaseType(type);
    return base < FirstNormalObjectId || get_typtype(base) == TYPTYPE_ENUM;
}

// The leaf that the key belongs to; InvalidOid: not a plain case, or there is none yet.
Oid FindLeaf(State* state, Relation root, const Datum* values, const bool* nulls) {
    state->key = -1;
    if (root->rd_rel->relispartition) {
        return InvalidOid;
    }
    if (root->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) {
        return RelationGetRelid(root);
    }
    const PartitionKey key = RelationGetPartitionKey(root);
    if (key->strategy != PARTITION_STRATEGY_RANGE || key->partnatts != 1 ||
        key->partattrs[0] == 0) {
        return InvalidOid;
    }
    const char* name =
        NameStr(TupleDescAttr(RelationGetDescr(root), key->partattrs[0] - 1)->attname);
    for (int i = 0; i < state->column_count; ++i) {
        if (std::strcmp(state->columns[i].name, name) == 0 &&
            state->columns[i].type == key->parttypid[0]) {
            state->key = i;
        }
    }
    std::int64_t ignored = 0;
    if (state->key < 0 || nulls[state->key] ||
        !AsInteger(key->parttypid[0], values[state->key], &ignored)) {
        return InvalidOid;
    }
    const PartitionDesc partitions = RelationGetPartitionDesc(root, true);
    const PartitionBoundInfo bounds = partitions->boundinfo;
    if (bounds == nullptr) {
        return InvalidOid;
    }
    Datum value = values[state->key];
    bool equal = false;
    const int at = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds, 1,
                                                 &value, &equal);
    if (bounds->indexes[at + 1] < 0 || at < 0 || at + 1 >= bounds->ndatums ||
        bounds->kind[at][0] != PARTITION_RANGE_DATUM_VALUE ||
        bounds->kind[at + 1][0] != PARTITION_RANGE_DATUM_VALUE ||
        !partitions->is_leaf[bounds->indexes[at + 1]]) {
        return InvalidOid;
    }
    AsInteger(key->parttypid[0], bounds->datums[at][0], &state->lower);
    AsInteger(key->parttypid[0], bounds->datums[at + 1][0], &state->upper);
    return partitions->oids[bounds->indexes[at + 1]];
}

bool DescribeColumns(State* state, Relation leaf) {
    const TupleDesc desc = RelationGetDescr(leaf);
    const TupleConstr* constraints = desc->constr;
    if (constraints != nullptr &&
        (constraints->num_check > 0 || constraints->has_generated_stored)) {
        return false;
    }
    state->attributes = desc->natts;
    state->given = static_cast<int*>(palloc(sizeof(int) * desc->natts));
    state->required = static_cast<bool*>(palloc0(sizeof(bool) * desc->natts));
    int found = 0;
    for (int i = 0; i < desc->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        state->given[i] = -1;
        if (attribute->attisdropped) {
            continue;
        }
        state->required[i] = attribute->attnotnull;
        for (int c = 0; c < state->column_count; ++c) {
            if (std::strcmp(state->columns[c].name, NameStr(attribute->attname)) == 0) {
                if (attribute->atttypid != state->columns[c].type ||
                    attribute->attgenerated != '\0') {
                    return false;
                }
                state->given[i] = c;
                ++found;
            }
        }
        // What is not given is NULL here; a domain may have a default or refuse NULL.
        if (state->given[i] < 0 &&
            (attribute->attnotnull || attribute->atthasdef || attribute->attidentity != '\0' ||
             get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN)) {
            return false;
        }
    }
    return found == state->column_count;
}

bool DescribeIndex(Relation relation, Index* index) {
    const TupleDesc desc = RelationGetDescr(relation);
    index->oid = RelationGetRelid(relation);
    if (relation->rd_amhandler != F_BTHANDLER || !relation->rd_index->indimmediate) {
        return false;
    }
    index->info = BuildIndexInfo(relation);
    if (index->info->ii_Expressions != NIL || index->info->ii_ExclusionOps != nullptr) {
        return false;
    }
    for (int i = 0; i < desc->natts; ++i) {
        const AttrNumber column = index->info->ii_IndexAttrNumbers[i];
        if (column <= 0 || !ComparesBuiltIn(TupleDescAttr(desc, i)->atttypid) ||
            (i < index->info->ii_NumIndexKeyAttrs &&
             relation->rd_opfamily[i] >= FirstNormalObjectId)) {
            return false;
        }
    }
    index->conditions = static_cast<NullCondition*>(
        palloc(sizeof(NullCondition) * (list_length(index->info->ii_Predicate) + 1)));
    index->condition_count = 0;
    ListCell* cell = nullptr;
    foreach (cell, index->info->ii_Predicate) {
        const auto* test = static_cast<NullTest*>(lfirst(cell));
        if (!IsA(test, NullTest) || test->argisrow || !IsA(test->arg, Var) ||
            reinterpret_cast<Var*>(test->arg)->varattno <= 0) {
            return false;
        }
        index->conditions[index->condition_count++] = {reinterpret_cast<Var*>(test->arg)->varattno,
                                                       test->nulltesttype == IS_NULL};
    }
    return true;
}

bool DescribeIndexes(State* state, Relation leaf) {
    const List* list = RelationGetIndexList(leaf);
    state->index_count = 0;
    state->indexes = static_cast<Index*>(palloc0(sizeof(Index) * (list_length(list) + 1)));
    bool plain = true;
    ListCell* cell = nullptr;
    foreach (cell, list) {
        const Relation index = index_open(lfirst_oid(cell), RowExclusiveLock);
        plain = plain && DescribeIndex(index, &state->indexes[state->index_count++]);
        index_close(index, NoLock);
    }
    return plain;
}

// Fills the state for the row.
void Find(State* state, const Datum* values, const bool* nulls) {
    state->found = Case::kUnknown;
    state->stale = false;
    state->leaf = InvalidOid;
    MemoryContextReset(state->memory);
    const MemoryContext old = MemoryContextSwitchTo(state->memory);
    const Relation root = table_open(state->relation, NoLock);
    const Oid leaf_oid = FindLeaf(state, root, values, nulls);
    bool plain = false;
    if (OidIsValid(leaf_oid)) {
        state->leaf = leaf_oid;
        const Relation leaf = table_open(leaf_oid, RowExclusiveLock);
        plain = leaf->rd_rel->relkind == RELKIND_RELATION &&
                leaf->rd_tableam == GetHeapamTableAmRoutine() && DescribeColumns(state, leaf) &&
                DescribeIndexes(state, leaf);
        table_close(leaf, NoLock);
    }
    table_close(root, NoLock);
    MemoryContextSwitchTo(old);
    state->found = plain ? Case::kPlain : Case::kOther;
}

bool Covers(const State* state, const Datum* values, const bool* nulls) {
    if (state->key < 0) {
        return true;
    }
    std::int64_t value = 0;
    return !nulls[state->key] &&
           AsInteger(state->columns[state->key].type, values[state->key], &value) &&
           value >= state->lower && value < state->upper;
}

// The leaf of the row, open, with what is known about it; null: not a plain case.
Relation OpenLeaf(State* state, const Datum* values, const bool* nulls) {
    LockRelationOid(state->relation, RowExclusiveLock);
    // A few attempts: whatever keeps changing the table is not worth waiting for.
    for (int attempt = 0; attempt < 10; ++attempt) {
        if (state->stale || state->found == Case::kUnknown ||
            (state->found == Case::kPlain && !Covers(state, values, nulls))) {
            Find(state, values, nulls);
        } else if (state->found == Case::kOther) {
            return nullptr;
        } else {
            LockRelationOid(state->leaf, RowExclusiveLock);
            if (!state->stale) {  // waiting for the lock may have told of a change
                return table_open(state->leaf, NoLock);
            }
        }
    }
    return nullptr;
}

bool Applies(const Index& index, const bool* nulls) {
    for (int i = 0; i < index.condition_count; ++i) {
        if (nulls[index.conditions[i].column - 1] != index.conditions[i].null) {
            return false;
        }
    }
    return true;
}

void InsertIntoIndex(const Index& index, Relation leaf, const HeapTuple tuple, const Datum* row,
                     const bool* row_nulls) {
    const Relation relation = index_open(index.oid, RowExclusiveLock);
    if (relation->rd_index->indisready && Applies(index, row_nulls)) {
        Datum values[INDEX_MAX_KEYS];
        bool nulls[INDEX_MAX_KEYS];
        for (int i = 0; i < index.info->ii_NumIndexAttrs; ++i) {
            const int column = index.info->ii_IndexAttrNumbers[i] - 1;
            values[i] = row[column];
            nulls[i] = row_nulls[column];
        }
        index_insert(relation, values, nulls, &tuple->t_self, leaf,
                     relation->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false,
                     index.info);
    }
    index_close(relation, NoLock);
}

bool InsertRow(State* state, const Datum* values, const bool* nulls) {
    const Relation leaf = OpenLeaf(state, values, nulls);
    if (leaf == nullptr) {
        return false;
    }
    auto* row = static_cast<Datum*>(palloc(sizeof(Datum) * state->attributes));
    auto* row_nulls = static_cast<bool*>(palloc(sizeof(bool) * state->attributes));
    bool complete = true;
    for (int i = 0; i < state->attributes; ++i) {
        const int column = state->given[i];
        row_nulls[i] = column < 0 || nulls[column];
        row[i] = row_nulls[i] ? 0 : values[column];
        complete = complete && !(row_nulls[i] && state->required[i]);
    }
    if (complete) {
        const HeapTuple tuple = heap_form_tuple(RelationGetDescr(leaf), row, row_nulls);
        tuple->t_tableOid = RelationGetRelid(leaf);
        heap_insert(leaf, tuple, GetCurrentCommandId(true), 0, nullptr);
        for (int i = 0; i < state->index_count; ++i) {
            InsertIntoIndex(state->indexes[i], leaf, tuple, row, row_nulls);
        }
    }
    table_close(leaf, NoLock);
    return complete;
}

}  // namespace

struct RowInserter::Impl {
    State state{};
};

RowInserter::RowInserter(std::uint32_t relation, std::span<const WriterColumn> columns)
    : impl_(std::make_unique<Impl>()) {
    State* state = &impl_->state;
    state->relation = relation;
    state->columns = columns.data();
    state->column_count = static_cast<int>(columns.size());
    state->found = Case::kUnknown;
    States& states = TheStates();
    states.all.reserve(states.all.size() + 1);
    Call([state, first = !states.registered]() {
        state->memory = AllocSetContextCreate(TopMemoryContext, "bitvelocity row inserter",
                                              ALLOCSET_SMALL_SIZES);
        if (first) {
            CacheRegisterRelcacheCallback(Invalidate, 0);
        }
    });
    states.registered = true;
    states.all.push_back(state);
}

RowInserter::~RowInserter() noexcept {
    std::vector<State*>& all = TheStates().all;
    all.erase(std::remove(all.begin(), all.end(), &impl_->state), all.end());
    MemoryContextDelete(impl_->state.memory);
}

bool RowInserter::Insert(const std::uintptr_t* values, const bool* nulls) {
    State* state = &impl_->state;
    return Call([state, values, nulls]() { return InsertRow(state, values, nulls); });
}

}  // namespace bitvelocity::pg
