#include "pg/table_writer.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::pg {

namespace {

// As many rows as COPY collects; more only cost memory.
constexpr int kMaxRows = 1000;
constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;

// A leaf that rows go to, open until the writer lets the table go.
struct Leaf {
    ResultRelInfo* info;
    BulkInsertState bulk;  // null until the leaf has seen a full batch
    TupleConversionMap* map;
    std::uint64_t rows;
};

// Where the last row went, when the partition key is a single by-value column in order of integers:
// rows of one month then need no search.
struct LeafRange {
    bool known;
    Datum lower;
    Datum upper;
    Leaf* leaf;
};

// Plain data only: it is filled and used inside guarded calls.
struct State {
    Oid relation_id;
    const WriterColumn* columns;
    int column_count;

    MemoryContext lifetime;  // everything below, until the table is let go
    MemoryContext batch;     // values of rows

    Relation relation;
    EState* estate;
    ModifyTableState* modify;
    ResultRelInfo* root;
    PartitionTupleRouting* routing;
    List* leaves;
    LeafRange last;

    int attributes;
    AttrNumber* target;    // per given column
    ExprState** defaults;  // per attribute; null: none
    bool has_defaults;
    AttrNumber key;  // the only column of a RANGE partition key; 0: other kinds
    Oid key_type;
    FmgrInfo* key_compare;
    Oid key_collation;

    TupleTableSlot** slots;
    TupleTableSlot** converted;
    int made;
    int used;
};

void CheckKind(Relation relation) {
    const char kind = relation->rd_rel->relkind;
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) {
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a table", RelationGetRelationName(relation))));
    }
}

void FindColumns(State* state) {
    const TupleDesc desc = RelationGetDescr(state->relation);
    state->attributes = desc->natts;
    state->target =
        static_cast<AttrNumber*>(palloc0(sizeof(AttrNumber) * (state->column_count + 1)));
    state->defaults = static_cast<ExprState**>(palloc0(sizeof(ExprState*) * (desc->natts + 1)));
    auto* given = static_cast<bool*>(palloc0(desc->natts + 1));
    for (int i = 0; i < state->column_count; ++i) {
        const WriterColumn& column = state->columns[i];
        const AttrNumber number = get_attnum(state->relation_id, column.name);
        if (number <= 0) {
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                            errmsg("column \"%s\" of table \"%s\" does not exist", column.name,
                                   RelationGetRelationName(state->relation)),
                            errhint("The column belongs to the shape that bitvelocity writes; add "
                                    "it again.")));
        }
        const Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);
        if (attribute->atttypid != column.type || attribute->attgenerated != '\0') {
            ereport(ERROR,
                    (errcode(ERRCODE_DATATYPE_MISMATCH),
                     errmsg("column \"%s\" of table \"%s\" is of type %s but rows carry %s",
                            column.name, RelationGetRelationName(state->relation),
                            format_type_be(attribute->atttypid), format_type_be(column.type))));
        }
        state->target[i] = number;
        given[number - 1] = true;
    }
    for (int i = 0; i < desc->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (given[i] || attribute->attisdropped || attribute->attgenerated != '\0') {
            continue;
        }
        auto* expression = reinterpret_cast<Expr*>(build_column_default(state->relation, i + 1));
        if (expression != nullptr) {
            state->defaults[i] = ExecInitExpr(expression_planner(expression), nullptr);
            state->has_defaults = true;
        }
    }
}

void FindKey(State* state) {
    state->key = 0;
    const PartitionKey key = RelationGetPartitionKey(state->relation);
    if (key == nullptr || key->strategy != PARTITION_STRATEGY_RANGE || key->partnatts != 1 ||
        key->partattrs[0] == 0) {
        return;
    }
    state->key = key->partattrs[0];
    state->key_type = key->parttypid[0];
    state->key_compare = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info_copy(state->key_compare, &key->partsupfunc[0], CurrentMemoryContext);
    state->key_collation = key->partcollation[0];
}

Leaf* AddLeaf(State* state, ResultRelInfo* info) {
    auto* leaf = static_cast<Leaf*>(palloc0(sizeof(Leaf)));
    leaf->info = info;
    leaf->map = info == state->root ? nullptr : compat::RootToChildMap(info, state->estate);
    state->leaves = lappend(state->leaves, leaf);
    return leaf;
}

// Opens the table and prepares an executor state for it, as an INSERT's start would.
void Open(State* state) {
    state->lifetime = AllocSetContextCreate(CurrentMemoryContext, "bitvelocity table writer",
                                            ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(state->lifetime);
    state->relation = table_open(state->relation_id, RowExclusiveLock);
    CheckKind(state->relation);

    state->estate = CreateExecutorState();
    compat::InitRangeTable(state->estate, state->relation);
    state->estate->es_output_cid = GetCurrentCommandId(true);
    state->root = makeNode(ResultRelInfo);
    InitResultRelInfo(state->root, state->relation, 1, nullptr, 0);
    state->modify = makeNode(ModifyTableState);
    state->modify->ps.plan = nullptr;
    state->modify->ps.state = state->estate;
    state->modify->operation = CMD_INSERT;
    state->modify->mt_nrels = 1;
    state->modify->resultRelInfo = state->root;
    state->modify->rootResultRelInfo = state->root;
    state->leaves = NIL;
    state->last = LeafRange{};
    state->routing = nullptr;
    if (state->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) {
        state->routing = ExecSetupPartitionTupleRouting(state->estate, state->relation);
    } else {
        ExecOpenIndices(state->root, false);
        AddLeaf(state, state->root);
    }
    FindColumns(state);
    FindKey(state);
    state->slots = static_cast<TupleTableSlot**>(palloc0(sizeof(TupleTableSlot*) * kMaxRows));
    state->converted = static_cast<TupleTableSlot**>(palloc0(sizeof(TupleTableSlot*) * kMaxRows));
    state->made = 0;
    MemoryContextSwitchTo(old);
}

// Lets the table go; the lock stays. What was collected must have been written.
void Close(State* state) {
    if (state->lifetime == nullptr) {
        return;
    }
    ExecResetTupleTable(state->estate->es_tupleTable, false);
    ListCell* cell = nullptr;
    foreach (cell, state->leaves) {
        auto* leaf = static_cast<Leaf*>(lfirst(cell));
        if (leaf->bulk != nullptr) {
            FreeBulkInsertState(leaf->bulk);
        }
        table_finish_bulk_insert(leaf->info->ri_RelationDesc, 0);
    }
    for (int i = 0; i < state->made; ++i) {
        ExecDropSingleTupleTableSlot(state->slots[i]);
        if (state->converted[i] != nullptr) {
            ExecDropSingleTupleTableSlot(state->converted[i]);
        }
    }
    if (state->routing != nullptr) {
        ExecCleanupTupleRouting(state->modify, state->routing);
    } else {
        ExecCloseIndices(state->root);
    }
    FreeExecutorState(state->estate);
    table_close(state->relation, NoLock);
    MemoryContextDelete(state->lifetime);
    state->lifetime = nullptr;
}

bool OrderedAsInteger(Oid type) {
    return type == DATEOID || type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == INT8OID ||
           type == INT4OID;
}

std::int64_t AsInteger(Oid type, Datum value) {
    return type == DATEOID || type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

// What the table's partition bounds say of a key: the leaf's range, or that there is none.
enum class Found { kLeaf, kDefault, kNothing };
Found Search(State* state, Datum key, LeafRange* range) {
    const PartitionDesc partitions = RelationGetPartitionDesc(state->relation, true);
    const PartitionBoundInfo bounds = partitions->boundinfo;
    range->known = false;
    if (bounds == nullptr) {
        return Found::kNothing;
    }
    bool equal = false;
    const int at = partition_range_datum_bsearch(state->key_compare, &state->key_collation, bounds,
                                                 1, &key, &equal);
    if (bounds->indexes[at + 1] < 0) {
        return partition_bound_has_default(bounds) ? Found::kDefault : Found::kNothing;
    }
    if (at >= 0 && at + 1 < bounds->ndatums && bounds->kind[at][0] == PARTITION_RANGE_DATUM_VALUE &&
        bounds->kind[at + 1][0] == PARTITION_RANGE_DATUM_VALUE &&
        partitions->is_leaf[bounds->indexes[at + 1]]) {
        range->known = true;
        range->lower = bounds->datums[at][0];
        range->upper = bounds->datums[at + 1][0];
    }
    return Found::kLeaf;
}

Leaf* LeafOf(State* state, ResultRelInfo* info) {
    ListCell* cell = nullptr;
    foreach (cell, state->leaves) {
        auto* leaf = static_cast<Leaf*>(lfirst(cell));
        if (leaf->info == info) {
            return leaf;
        }
    }
    CheckKind(info->ri_RelationDesc);  // a foreign table may be a leaf, too
    const MemoryContext old = MemoryContextSwitchTo(state->lifetime);
    Leaf* leaf = AddLeaf(state, info);
    MemoryContextSwitchTo(old);
    return leaf;
}

// The leaf of a row; null where there is none and one may be made (`missing` is then its key).
Leaf* Route(State* state, TupleTableSlot* slot, bool may_make, Datum* missing) {
    if (state->routing == nullptr) {
        return static_cast<Leaf*>(linitial(state->leaves));
    }
    LeafRange range{};
    if (state->key != 0) {
        const Datum key = slot->tts_values[state->key - 1];
        const bool null = slot->tts_isnull[state->key - 1];
        const bool ordered = OrderedAsInteger(state->key_type);
        if (!null && ordered && state->last.known) {
            const std::int64_t value = AsInteger(state->key_type, key);
            if (value >= AsInteger(state->key_type, state->last.lower) &&
                value < AsInteger(state->key_type, state->last.upper)) {
                return state->last.leaf;
            }
        }
        if (!null && (may_make || ordered) && Search(state, key, &range) == Found::kNothing &&
            may_make) {
            *missing = key;
            return nullptr;
        }
        range.known = range.known && ordered;
    }
    ResultRelInfo* info =
        ExecFindPartition(state->modify, state->root, state->routing, slot, state->estate);
    Leaf* leaf = LeafOf(state, info);
    if (range.known) {
        state->last = range;
        state->last.leaf = leaf;
    }
    return leaf;
}

void ComputeDefaults(State* state, TupleTableSlot* slot) {
    if (!state->has_defaults) {
        return;
    }
    ExprContext* context = GetPerTupleExprContext(state->estate);
    const TupleDesc desc = slot->tts_tupleDescriptor;
    for (int i = 0; i < state->attributes; ++i) {
        if (state->defaults[i] == nullptr) {
            continue;
        }
        bool is_null = false;
        const Datum value = ExecEvalExprSwitchContext(state->defaults[i], context, &is_null);
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        slot->tts_isnull[i] = is_null;
        slot->tts_values[i] =
            is_null ? 0 : datumCopy(value, attribute->attbyval, attribute->attlen);
    }
}

// Rows [from, to) of the batch go into one leaf.
void InsertRun(State* state, Leaf* leaf, int from, int to) {
    ResultRelInfo* info = leaf->info;
    const Relation relation = info->ri_RelationDesc;
    TupleTableSlot** rows = state->slots + from;
    if (leaf->map != nullptr) {
        for (int i = from; i < to; ++i) {
            if (state->converted[i] == nullptr ||
                state->converted[i]->tts_tupleDescriptor != RelationGetDescr(relation)) {
                const MemoryContext old = MemoryContextSwitchTo(state->lifetime);
                if (state->converted[i] != nullptr) {
                    ExecDropSingleTupleTableSlot(state->converted[i]);
                }
                state->converted[i] =
                    MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
                MemoryContextSwitchTo(old);
            }
            execute_attr_map_slot(leaf->map->attrMap, state->slots[i], state->converted[i]);
        }
        rows = state->converted + from;
    }
    const TupleConstr* constraints = RelationGetDescr(relation)->constr;
    for (int i = 0; i < to - from; ++i) {
        rows[i]->tts_tableOid = RelationGetRelid(relation);
        if (constraints != nullptr) {
            if (constraints->has_generated_stored) {
                ExecComputeStoredGenerated(info, state->estate, rows[i], CMD_INSERT);
            }
            ExecConstraints(info, rows[i], state->estate);
        }
        if (state->relation->rd_rel->relispartition) {  // routing began below the root
            ExecPartitionCheck(info, rows[i], state->estate, true);
        }
    }
    const int count = to - from;
    if (leaf->bulk == nullptr && leaf->rows + count > kMaxRows / 2) {
        const MemoryContext old = MemoryContextSwitchTo(state->lifetime);
        leaf->bulk = GetBulkInsertState();
        // Only the pinned page is wanted: COPY's small ring would make this process write every
        // page out by itself, and the rows are read soon.
        FreeAccessStrategy(leaf->bulk->strategy);
        leaf->bulk->strategy = nullptr;
        MemoryContextSwitchTo(old);
    }
    leaf->rows += count;
    if (count == 1) {
        table_tuple_insert(relation, rows[0], state->estate->es_output_cid, 0, leaf->bulk);
    } else {
        table_multi_insert(relation, rows, count, state->estate->es_output_cid, 0, leaf->bulk);
    }
    if (info->ri_NumIndices > 0) {
        for (int i = 0; i < count; ++i) {
            list_free(compat::InsertIndexTuples(info, rows[i], state->estate));
            ResetPerTupleExprContext(state->estate);
        }
    }
}

// Writes rows from `from` on until a row has no leaf; returns the index of that row, or of the end.
int InsertFrom(State* state, int from, bool may_make, Datum* missing) {
    const MemoryContext old = MemoryContextSwitchTo(state->batch);
    state->estate->es_output_cid = GetCurrentCommandId(true);
    Leaf* current = nullptr;
    int start = from;
    int at = from;
    for (; at < state->used; ++at) {
        ComputeDefaults(state, state->slots[at]);
        Leaf* leaf = Route(state, state->slots[at], may_make, missing);
        if (leaf != current) {
            if (current != nullptr && at > start) {
                InsertRun(state, current, start, at);
            }
            current = leaf;
            start = at;
        }
        if (leaf == nullptr) {
            break;
        }
    }
    if (current != nullptr && at > start) {
        InsertRun(state, current, start, at);
    }
    MemoryContextSwitchTo(old);
    return at;
}

// The rows from `from` on, moved to slots of a freshly opened table.
void CarryOver(State* state, const Datum* values, const bool* nulls, int rows) {
    for (int i = 0; i < rows; ++i) {
        TupleTableSlot* slot =
            MakeSingleTupleTableSlot(RelationGetDescr(state->relation), &TTSOpsVirtual);
        state->slots[state->made++] = slot;
        std::memcpy(slot->tts_values, values + i * state->attributes,
                    sizeof(Datum) * state->attributes);
        std::memcpy(slot->tts_isnull, nulls + i * state->attributes, state->attributes);
        ExecStoreVirtualTuple(slot);
    }
    state->used = rows;
}

}  // namespace

struct TableWriter::Impl {
    State state{};
    MakeLeaf make_leaf;

    // The table is closed while its partition is made (ALTER TABLE refuses one in use), so the rows
    // that are left wait in the batch's memory.
    void MakeMissing(int from, Datum key) {
        State* s = &state;
        struct Waiting {
            Datum* values;
            bool* nulls;
            int rows;
            Datum key;
        };
        const Waiting waiting = Call([s, from, key]() -> Waiting {
            const MemoryContext old = MemoryContextSwitchTo(s->batch);
            const int rows = s->used - from;
            Waiting w{static_cast<Datum*>(palloc(sizeof(Datum) * rows * s->attributes)),
                      static_cast<bool*>(palloc(static_cast<Size>(rows) * s->attributes)), rows,
                      key};
            const Form_pg_attribute attribute =
                TupleDescAttr(RelationGetDescr(s->relation), s->key - 1);
            w.key = datumCopy(key, attribute->attbyval, attribute->attlen);
            for (int i = 0; i < rows; ++i) {
                const TupleTableSlot* slot = s->slots[from + i];
                std::memcpy(w.values + i * s->attributes, slot->tts_values,
                            sizeof(Datum) * s->attributes);
                std::memcpy(w.nulls + i * s->attributes, slot->tts_isnull, s->attributes);
            }
            MemoryContextSwitchTo(old);
            Close(s);
            return w;
        });
        make_leaf(s->relation_id, waiting.key);
        Call([s, waiting]() {
            CommandCounterIncrement();
            Open(s);
            const MemoryContext old = MemoryContextSwitchTo(s->lifetime);
            CarryOver(s, waiting.values, waiting.nulls, waiting.rows);
            MemoryContextSwitchTo(old);
            LeafRange range{};
            if (Search(s, waiting.key, &range) == Found::kNothing) {
                Datum ignored = 0;
                Route(s, s->slots[0], false, &ignored);  // raises PostgreSQL's own error
            }
        });
    }
};

TableWriter::TableWriter(std::uint32_t relation, std::span<const WriterColumn> columns,
                         MakeLeaf make_leaf)
    : impl_(std::make_unique<Impl>()) {
    impl_->make_leaf = std::move(make_leaf);
    State* state = &impl_->state;
    state->relation_id = relation;
    state->columns = columns.data();
    state->column_count = static_cast<int>(columns.size());
    Call([state]() {
        state->batch = AllocSetContextCreate(CurrentMemoryContext, "bitvelocity table writer rows",
                                             ALLOCSET_DEFAULT_SIZES);
        Open(state);
    });
}

TableWriter::~TableWriter() noexcept {
    // After an ERROR the aborting transaction releases everything, in its own order.
    if (std::uncaught_exceptions() > 0) {
        return;
    }
    State* state = &impl_->state;
    const core::Status closed = Catch([state]() {
        Call([state]() {
            Close(state);
            MemoryContextDelete(state->batch);
        });
    });
    Assert(closed.ok());
    static_cast<void>(closed.ok());
}

MemoryContextData* TableWriter::memory() const {
    return impl_->state.batch;
}

std::size_t TableWriter::pending() const {
    return impl_->state.used;
}

bool TableWriter::AddRow(const std::uintptr_t* values, const bool* nulls) {
    State* state = &impl_->state;
    if (state->used == kMaxRows) {
        Throw(core::kInternalError, "the batch of a table writer is full and was not flushed");
    }
    if (state->used == state->made) {
        Call([state]() {
            const MemoryContext old = MemoryContextSwitchTo(state->lifetime);
            state->slots[state->made] =
                MakeSingleTupleTableSlot(RelationGetDescr(state->relation), &TTSOpsVirtual);
            ++state->made;
            MemoryContextSwitchTo(old);
        });
    }
    TupleTableSlot* slot = state->slots[state->used];
    ExecClearTuple(slot);
    std::memset(slot->tts_isnull, true, state->attributes);
    for (int i = 0; i < state->column_count; ++i) {
        const int at = state->target[i] - 1;
        slot->tts_values[at] = values[i];
        slot->tts_isnull[at] = nulls[i];
    }
    ExecStoreVirtualTuple(slot);
    ++state->used;
    return state->used == kMaxRows || state->batch->mem_allocated > kMaxBytes;
}

void TableWriter::Flush() {
    State* state = &impl_->state;
    if (state->used == 0) {
        return;
    }
    const bool may_make = static_cast<bool>(impl_->make_leaf) && state->key != 0;
    int from = 0;
    while (from < state->used) {
        struct Progress {
            int at;
            Datum missing;
        };
        const Progress progress = Call([state, from, may_make]() -> Progress {
            Progress p{0, 0};
            p.at = InsertFrom(state, from, may_make, &p.missing);
            return p;
        });
        from = progress.at;
        if (from < state->used) {
            impl_->MakeMissing(from, progress.missing);
            from = 0;
        }
    }
    Call([state]() {
        for (int i = 0; i < state->used; ++i) {
            ExecClearTuple(state->slots[i]);
        }
        ResetPerTupleExprContext(state->estate);
        MemoryContextReset(state->batch);
        CommandCounterIncrement();
    });
    state->used = 0;
}

}  // namespace bitvelocity::pg
