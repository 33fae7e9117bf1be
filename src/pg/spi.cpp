#include "pg/spi.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::pg {

Param Param::Null(std::uint32_t type) {
    Param p;
    p.type = type;
    p.is_null = true;
    return p;
}

Param Param::Text(std::string_view value) {
    Param p;
    p.type = TEXTOID;
    p.is_text = true;
    p.text = value;
    return p;
}

Param Param::Text(const std::optional<std::string>& value) {
    return value ? Text(std::string_view(*value)) : Null(TEXTOID);
}

Param Param::Name(std::string_view value) {
    Param p = Text(value);
    p.type = NAMEOID;
    return p;
}

Param Param::Int(std::int32_t value) {
    return Raw(INT4OID, Int32GetDatum(value), false);
}
Param Param::Bigint(std::int64_t value) {
    return Raw(INT8OID, Int64GetDatum(value), false);
}
Param Param::OidValue(std::uint32_t value) {
    return Raw(OIDOID, ObjectIdGetDatum(value), false);
}
Param Param::Bool(bool value) {
    return Raw(BOOLOID, BoolGetDatum(value), false);
}
Param Param::LsnValue(core::Lsn value) {
    return value.valid() ? Raw(PG_LSNOID, LSNGetDatum(value.value), false) : Null(PG_LSNOID);
}

Param Param::Jsonb(std::string_view json) {
    Param p = Text(json);
    p.type = JSONBOID;
    return p;
}
Param Param::Bytes(std::string_view bytes) {
    Param p = Text(bytes);  // the same bytes are the same datum
    p.type = BYTEAOID;
    return p;
}

Param Param::Raw(std::uint32_t type, std::uintptr_t datum, bool is_null) {
    Param p;
    p.type = type;
    p.datum = datum;
    p.is_null = is_null;
    return p;
}

SpiScope::SpiScope() {
    Call([]() {
        if (SPI_connect() != SPI_OK_CONNECT) {
            elog(ERROR, "SPI_connect failed");
        }
    });
}

SpiScope::~SpiScope() noexcept {
    // After an ERROR the transaction's abort releases SPI; during unwinding it must not be touched.
    if (std::uncaught_exceptions() == 0) {
        SPI_finish();
    }
}

Rows SpiScope::Execute(const std::string& sql, std::initializer_list<Param> params) {
    return Execute(sql, std::vector<Param>(params));
}

Rows SpiScope::Query(const std::string& sql, std::initializer_list<Param> params, long limit) {
    return limit == 0 ? Execute(sql, params)
                      : Execute(sql + " LIMIT " + std::to_string(limit), params);
}

namespace {

struct Values {
    Oid* types;
    Datum* values;
    char* nulls;
};

// Plain C, in the current memory context; may raise.
Values Convert(const Param* list, int count) {
    Values out{static_cast<Oid*>(palloc(sizeof(Oid) * (count + 1))),
               static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1))),
               static_cast<char*>(palloc(count + 1))};
    for (int i = 0; i < count; ++i) {
        const Param& p = list[i];
        out.types[i] = p.type;
        out.nulls[i] = p.is_null ? 'n' : ' ';
        out.values[i] = static_cast<Datum>(p.datum);
        if (p.is_null || !p.is_text) {
            continue;
        }
        if (p.type == TEXTOID || p.type == BYTEAOID) {
            out.values[i] = PointerGetDatum(
                cstring_to_text_with_len(p.text.data(), static_cast<int>(p.text.size())));
        } else {
            Oid input = InvalidOid;
            Oid io_param = InvalidOid;
            getTypeInputInfo(p.type, &input, &io_param);
            out.values[i] =
                OidInputFunctionCall(input, pnstrdup(p.text.data(), p.text.size()), io_param, -1);
        }
    }
    out.nulls[count] = '\0';
    return out;
}

struct Outcome {
    SPITupleTable* table;
    std::uint64_t processed;
};

Outcome Checked(int code) {
    if (code < 0) {
        elog(ERROR, "SPI statement failed: %s", SPI_result_code_string(code));
    }
    return {SPI_tuptable, SPI_processed};
}

}  // namespace

Rows SpiScope::Execute(const std::string& sql, const std::vector<Param>& params) {
    const Param* list = params.data();
    const int count = static_cast<int>(params.size());
    const char* text = sql.c_str();
    const Outcome outcome = Call([list, count, text]() -> Outcome {
        const Values given = Convert(list, count);
        return Checked(
            SPI_execute_with_args(text, count, given.types, given.values, given.nulls, false, 0));
    });
    return Rows(outcome.table, outcome.processed);
}

Prepared SpiScope::Prepare(const std::string& sql, const std::vector<Param>& params) {
    const Param* list = params.data();
    const int count = static_cast<int>(params.size());
    return {Call([list, count, text = sql.c_str()]() -> void* {
        auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * (count + 1)));
        for (int i = 0; i < count; ++i) {
            types[i] = list[i].type;
        }
        const SPIPlanPtr plan = SPI_prepare_cursor(text, count, types, CURSOR_OPT_GENERIC_PLAN);
        if (plan == nullptr) {
            elog(ERROR, "SPI statement could not be prepared: %s",
                 SPI_result_code_string(SPI_result));
        }
        return plan;
    })};
}

Rows SpiScope::Execute(const Prepared& prepared, const std::vector<Param>& params) {
    const Param* list = params.data();
    const int count = static_cast<int>(params.size());
    const Outcome outcome = Call([list, count, plan = prepared.plan]() -> Outcome {
        const Values given = Convert(list, count);
        return Checked(
            SPI_execute_plan(static_cast<SPIPlanPtr>(plan), given.values, given.nulls, false, 0));
    });
    return Rows(outcome.table, outcome.processed);
}

namespace {

struct Follower {
    DestReceiver receiver;
    std::int64_t* last;
};

bool Receive(TupleTableSlot* slot, DestReceiver* self) {
    bool is_null = false;
    const Datum value = slot_getattr(slot, 1, &is_null);
    slot_getallattrs(slot);
    if (!is_null) {
        *reinterpret_cast<Follower*>(self)->last = DatumGetInt64(value);
    }
    return true;
}

}  // namespace

void SpiScope::Follow(const Prepared& prepared, const std::vector<Param>& params,
                      std::int64_t* last) {
    const Param* list = params.data();
    const int count = static_cast<int>(params.size());
    Call([list, count, plan = prepared.plan, last]() {
        const Values given = Convert(list, count);
        ParamListInfo bound = makeParamList(count);
        for (int i = 0; i < count; ++i) {
            bound->params[i] = {given.values[i], given.nulls[i] == 'n', PARAM_FLAG_CONST,
                                given.types[i]};
        }
        Follower follower{};
        follower.receiver.receiveSlot = Receive;
        follower.receiver.rStartup = [](DestReceiver*, int, TupleDesc) {};
        follower.receiver.rShutdown = [](DestReceiver*) {};
        follower.receiver.rDestroy = [](DestReceiver*) {};
        follower.receiver.mydest = DestNone;
        follower.last = last;
        SPIExecuteOptions options{};
        options.params = bound;
        options.dest = &follower.receiver;
        Checked(SPI_execute_plan_extended(static_cast<SPIPlanPtr>(plan), &options));
    });
}

Rows::Rows(SPITupleTable* table, std::uint64_t processed)
    : table_(table), count_(table != nullptr ? table->numvals : 0), processed_(processed) {}

bool Rows::IsNull(std::size_t row, int column) const {
    SPITupleTable* table = table_;
    return Call([table, row, column]() {
        bool is_null = false;
        SPI_getbinval(table->vals[row], table->tupdesc, column, &is_null);
        return is_null;
    });
}

std::optional<std::string> Rows::Text(std::size_t row, int column) const {
    SPITupleTable* table = table_;
    char* value = Call(
        [table, row, column]() { return SPI_getvalue(table->vals[row], table->tupdesc, column); });
    if (value == nullptr) {
        return std::nullopt;
    }
    return std::string(value);
}

std::int64_t Rows::Int(std::size_t row, int column) const {
    SPITupleTable* table = table_;
    return Call([table, row, column]() -> std::int64_t {
        bool is_null = false;
        const Datum value = SPI_getbinval(table->vals[row], table->tupdesc, column, &is_null);
        if (is_null) {
            return 0;
        }
        switch (SPI_gettypeid(table->tupdesc, column)) {
            case INT2OID:
                return DatumGetInt16(value);
            case INT4OID:
                return DatumGetInt32(value);
            default:
                return DatumGetInt64(value);
        }
    });
}

std::uint32_t Rows::OidValue(std::size_t row, int column) const {
    SPITupleTable* table = table_;
    return Call([table, row, column]() -> std::uint32_t {
        bool is_null = false;
        const Datum value = SPI_getbinval(table->vals[row], table->tupdesc, column, &is_null);
        return is_null ? InvalidOid : DatumGetObjectId(value);
    });
}

bool Rows::Bool(std::size_t row, int column) const {
    SPITupleTable* table = table_;
    return Call([table, row, column]() {
        bool is_null = false;
        const Datum value = SPI_getbinval(table->vals[row], table->tupdesc, column, &is_null);
        return !is_null && DatumGetBool(value);
    });
}

core::Lsn Rows::LsnValue(std::size_t row, int column) const {
    SPITupleTable* table = table_;
    return Call([table, row, column]() -> core::Lsn {
        bool is_null = false;
        const Datum value = SPI_getbinval(table->vals[row], table->tupdesc, column, &is_null);
        return core::Lsn{is_null ? 0 : DatumGetLSN(value)};
    });
}

std::string QuoteIdentifier(std::string_view name) {
    const std::string copy(name);
    const char* quoted = Call([text = copy.c_str()]() { return quote_identifier(text); });
    return quoted;
}

std::string QuoteLiteral(std::string_view text) {
    const std::string copy(text);
    const char* quoted = Call([value = copy.c_str()]() { return quote_literal_cstr(value); });
    return quoted;
}

namespace {

struct RelationNames {
    const char* schema;
    const char* name;
};

RelationNames LookUp(Oid relation) {
    return Call([relation]() -> RelationNames {
        const char* name = get_rel_name(relation);
        if (name == nullptr) {
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                            errmsg("relation with OID %u does not exist", relation)));
        }
        return {get_namespace_name(get_rel_namespace(relation)), name};
    });
}

}  // namespace

std::string QualifiedName(std::uint32_t relation) {
    const RelationNames names = LookUp(relation);
    return QuoteIdentifier(names.schema) + "." + QuoteIdentifier(names.name);
}

std::string RelationName(std::uint32_t relation) {
    return LookUp(relation).name;
}
std::string RelationSchema(std::uint32_t relation) {
    return LookUp(relation).schema;
}

}  // namespace bitvelocity::pg
