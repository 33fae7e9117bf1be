#include "trail/json_value.hpp"

#include "core/oids.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"
#include "pg/scopes.hpp"

namespace bitvelocity::trail {

struct JsonType {
    JsonKind kind = JsonKind::kString;
    Oid base = InvalidOid;
    bool by_value = false;
    bool safe = false;  // kConvert: no code of a user runs, and nothing of it can be refused
    std::int16_t length = 0;
    Oid io_param = InvalidOid;
    MemoryContext memory = nullptr;  // of the function records
    FmgrInfo* output = nullptr;
    FmgrInfo* input = nullptr;     // kConvert only
    FmgrInfo* to_jsonb = nullptr;  // kConvert only

    JsonType() = default;
    JsonType(const JsonType&) = delete;
    JsonType& operator=(const JsonType&) = delete;
    ~JsonType() {
        if (memory != nullptr) {
            MemoryContextDelete(memory);
        }
    }
};

namespace {

// Numbers longer than this may be beyond numeric, and texts beyond jsonb's longest string.
constexpr std::size_t kLongJson = 100'000;

struct Cache {
    std::unordered_map<Oid, JsonTypePtr> types;
    bool registered = false;
    bool stale = false;
};

Cache& TheCache() {
    static Cache* const cache = new Cache;  // lives as long as the process
    return *cache;
}

void Invalidate(Datum /*argument*/, int /*cache_id*/, uint32 /*hash*/) {
    TheCache().stale = true;
}

struct Found {
    JsonKind kind;
    Oid base;
    bool exists;
};

// Arrays whose elements are told by their kind alone: json elements may be refused by jsonb, and
// the elements of other types may be a user's.
bool IsSafeArray(Oid base) {
    switch (getBaseType(get_element_type(base))) {
        case BOOLOID:
        case INT2OID:
        case INT4OID:
        case INT8OID:
        case FLOAT4OID:
        case FLOAT8OID:
        case NUMERICOID:
        case DATEOID:
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case UUIDOID:
        case JSONBOID:
            return true;
        default:
            return false;
    }
}

// The decision of jsonb.c's jsonb_categorize_type.
Found Categorize(Oid type) {
    if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type))) {
        return {JsonKind::kString, type, false};
    }
    const Oid base = getBaseType(type);
    switch (base) {
        case BOOLOID:
            return {JsonKind::kBool, base, true};
        case INT2OID:
        case INT4OID:
        case INT8OID:
            return {JsonKind::kInteger, base, true};
        case FLOAT4OID:
        case FLOAT8OID:
        case NUMERICOID:
            return {JsonKind::kNumber, base, true};
        case DATEOID:
            return {JsonKind::kDate, base, true};
        case TIMESTAMPOID:
            return {JsonKind::kTimestamp, base, true};
        case TIMESTAMPTZOID:
            return {JsonKind::kTimestamptz, base, true};
        case JSONOID:
        case JSONBOID:
            return {JsonKind::kJson, base, true};
        case CASHOID:
        case REGPROCOID:
        case REGPROCEDUREOID:
        case REGOPEROID:
        case REGOPERATOROID:
        case REGCLASSOID:
        case REGTYPEOID:
        case REGROLEOID:
        case REGNAMESPACEOID:
        case REGCONFIGOID:
        case REGDICTIONARYOID:
        case REGCOLLATIONOID:
            return {JsonKind::kLocal, base, true};
        default:
            break;
    }
    if (OidIsValid(get_element_type(base)) || type_is_rowtype(base)) {
        return {JsonKind::kConvert, base, true};
    }
    if (base >= FirstNormalObjectId) {
        Oid function = InvalidOid;
        if (find_coercion_pathway(JSONOID, base, COERCION_EXPLICIT, &function) ==
                COERCION_PATH_FUNC &&
            OidIsValid(function)) {
            return {JsonKind::kConvert, base, true};
        }
    }
    return {JsonKind::kString, base, true};
}

void Prepare(JsonType* type) {
    type->memory =
        AllocSetContextCreate(TopMemoryContext, "bitvelocity json type", ALLOCSET_SMALL_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(type->memory);
    get_typlenbyval(type->base, &type->length, &type->by_value);
    Oid output = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(type->base, &output, &is_varlena);
    type->output = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info_cxt(output, type->output, type->memory);
    if (type->kind != JsonKind::kConvert) {
        MemoryContextSwitchTo(old);
        return;
    }
    type->safe = OidIsValid(get_element_type(type->base)) && IsSafeArray(type->base);
    Oid input = InvalidOid;
    getTypeInputInfo(type->base, &input, &type->io_param);
    type->input = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info_cxt(input, type->input, type->memory);
    type->to_jsonb = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info_cxt(F_TO_JSONB, type->to_jsonb, type->memory);
    // to_jsonb takes anyelement and asks the call expression what it got.
    Node* argument = reinterpret_cast<Node*>(makeNullConst(type->base, -1, InvalidOid));
    fmgr_info_set_expr(
        reinterpret_cast<Node*>(makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
                                             InvalidOid, COERCE_EXPLICIT_CALL)),
        type->to_jsonb);
    MemoryContextSwitchTo(old);
}

char* Terminated(std::string_view text) {
    return pnstrdup(text.data(), text.size());
}

void SetString(std::string_view text, JsonbValue* value) {
    value->type = jbvString;
    value->val.string.val = const_cast<char*>(text.data());
    value->val.string.len = static_cast<int>(text.size());
}

bool ParseInteger(std::string_view text, std::int64_t* result) {
    std::size_t at = 0;
    const bool negative = !text.empty() && text[0] == '-';
    at += negative ? 1 : 0;
    if (at == text.size() || text.size() - at > 18) {
        return false;
    }
    std::int64_t number = 0;
    for (; at < text.size(); ++at) {
        if (text[at] < '0' || text[at] > '9') {
            return false;
        }
        number = number * 10 + (text[at] - '0');
    }
    *result = negative ? -number : number;
    return true;
}

void SetNumber(std::string_view text, JsonbValue* value) {
    std::int64_t number = 0;
    if (ParseInteger(text, &number)) {
        value->type = jbvNumeric;
        value->val.numeric = int64_to_numeric(number);
        return;
    }
    if (text.find_first_of("nN") != std::string_view::npos) {  // NaN, Infinity
        SetString(text, value);
        return;
    }
    value->type = jbvNumeric;
    value->val.numeric =
        DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(Terminated(text)),
                                            ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

// ISO output 2026-11-23 10:00:00+00 BC becomes 2026-11-23T10:00:00+00:00 BC.
void SetTime(std::string_view text, bool zone, JsonbValue* value) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || text[0] < '0' || text[0] > '9') {
        SetString(text, value);  // infinity
        return;
    }
    auto* buffer = static_cast<char*>(palloc(text.size() + 4));
    std::memcpy(buffer, text.data(), text.size());
    std::size_t length = text.size();
    buffer[space] = 'T';
    if (zone) {
        const std::size_t sign = text.find_first_of("+-", space);
        std::size_t end = sign;
        while (end != std::string_view::npos && end < length && buffer[end] != ' ') {
            ++end;
        }
        if (sign != std::string_view::npos && end - sign == 3) {
            std::memmove(buffer + end + 3, buffer + end, length - end);
            std::memcpy(buffer + end, ":00", 3);
            length += 3;
        }
    }
    SetString({buffer, length}, value);
}

// A value inside another one has to be unfolded: only pushJsonbValue takes the binary form.
void Unfold(Jsonb* json, JsonbValue* value) {
    JsonbParseState* state = nullptr;
    JsonbValue* result = nullptr;
    JsonbValue token_value;
    JsonbIterator* iterator = JsonbIteratorInit(&json->root);
    bool scalar = false;
    for (;;) {
        const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &token_value, false);
        if (token == WJB_DONE) {
            break;
        }
        const bool raw = token == WJB_BEGIN_ARRAY && token_value.val.array.rawScalar;
        scalar = scalar || raw;
        result =
            pushJsonbValue(&state, token, token < WJB_BEGIN_ARRAY || raw ? &token_value : nullptr);
    }
    *value = scalar ? result->val.array.elems[0] : *result;
}

void SetJson(std::string_view text, JsonbValue* value) {
    const Datum json = DirectFunctionCall1(jsonb_in, CStringGetDatum(Terminated(text)));
    Unfold(DatumGetJsonbP(json), value);
}

// What json accepts and jsonb may refuse: \u escapes it cannot decode, numbers beyond numeric.
bool MayBeRefused(std::string_view text) {
    if (text.size() > kLongJson || text.find("\\u") != std::string_view::npos) {
        return true;
    }
    for (std::size_t i = 1; i < text.size(); ++i) {
        if ((text[i] == 'e' || text[i] == 'E') && text[i - 1] >= '0' && text[i - 1] <= '9') {
            return true;
        }
    }
    return false;
}

}  // namespace

JsonTypePtr FindJsonType(core::Oid oid, const core::TypeDescription* type) {
    Cache& cache = TheCache();
    if (!cache.registered) {
        pg::Call([]() {
            CacheRegisterSyscacheCallback(TYPEOID, Invalidate, 0);
            CacheRegisterSyscacheCallback(CASTSOURCETARGET, Invalidate, 0);
        });
        cache.registered = true;
    }
    if (cache.stale) {
        cache.types.clear();
        cache.stale = false;
    }
    if (const auto found = cache.types.find(oid); found != cache.types.end()) {
        return found->second;
    }
    const Found found = pg::Call([oid]() { return Categorize(oid); });
    if (!found.exists && type != nullptr && type->kind == core::TypeKind::kDomain &&
        type->element != nullptr) {
        return FindJsonType(type->element->oid, type->element.get());
    }
    auto made = std::make_shared<JsonType>();
    made->kind = found.kind;
    made->base = found.base;
    if (found.exists) {
        pg::Call([raw = made.get()]() { Prepare(raw); });
        cache.types.emplace(oid, made);
    }
    return made;
}

JsonKind KindOf(const JsonType& type) {
    return type.kind;
}

bool NeedsConvert(const JsonType& type, std::string_view text) {
    return type.kind == JsonKind::kConvert ||
           (type.kind == JsonKind::kJson && type.base == JSONOID && MayBeRefused(text));
}

void ToJson(const JsonType& type, std::string_view text, JsonbValue* value) {
    switch (type.kind) {
        case JsonKind::kBool:
            value->type = jbvBool;
            value->val.boolean = !text.empty() && text[0] == 't';
            return;
        case JsonKind::kInteger:
        case JsonKind::kNumber:
            SetNumber(text, value);
            return;
        case JsonKind::kTimestamp:
        case JsonKind::kTimestamptz:
            SetTime(text, type.kind == JsonKind::kTimestamptz, value);
            return;
        case JsonKind::kJson:
            SetJson(text, value);
            return;
        case JsonKind::kDate:
        case JsonKind::kString:
        case JsonKind::kConvert:
        case JsonKind::kLocal:
            break;
    }
    SetString(text, value);
}

namespace {

// Runs `make` as `owner` in a subtransaction; false: it failed in a way that is survived.
template <typename Make>
bool Survive(Oid owner, Make&& make) {
    // The role changes outside the subtransaction: its rollback then finds the role it began with.
    pg::OwnerScope as_owner(owner);
    const core::Status made = pg::Catch([&]() {
        pg::SubtransactionScope attempt;
        pg::Call(make);
        attempt.Commit();
    });
    if (made.ok()) {
        return true;
    }
    const std::string& code = made.error().sqlstate;
    if (code.starts_with("57") || code.starts_with("53") || code.starts_with("40")) {
        throw pg::StatusError(made.error());  // cancelled, out of a resource, serialization
    }
    return false;
}

}  // namespace

void Convert(const JsonType& type, std::string_view text, core::Oid owner, JsonbValue* value) {
    const JsonType* plain = &type;
    const bool made = Survive(owner, [plain, text, value]() {
        if (plain->kind == JsonKind::kJson) {
            SetJson(text, value);
            return;
        }
        const Datum datum = InputFunctionCall(plain->input, Terminated(text), plain->io_param, -1);
        Unfold(DatumGetJsonbP(FunctionCall1(plain->to_jsonb, datum)), value);
    });
    if (!made) {
        SetString(text, value);
    }
}

bool NeedsConvert(const JsonType& type, std::uintptr_t datum) {
    if (type.kind == JsonKind::kJson && type.base == JSONOID) {
        const text* packed = DatumGetTextPP(datum);
        return MayBeRefused(
            {VARDATA_ANY(packed), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(packed))});
    }
    return (type.kind == JsonKind::kConvert && !type.safe) || type.kind == JsonKind::kLocal;
}

void ToJson(const JsonType& type, std::uintptr_t datum, JsonbValue* value) {
    switch (type.kind) {
        case JsonKind::kBool:
            value->type = jbvBool;
            value->val.boolean = DatumGetBool(datum);
            return;
        case JsonKind::kInteger:
            value->type = jbvNumeric;
            value->val.numeric = int64_to_numeric(type.length == 2   ? DatumGetInt16(datum)
                                                  : type.length == 4 ? DatumGetInt32(datum)
                                                                     : DatumGetInt64(datum));
            return;
        case JsonKind::kNumber:
            if (type.base == NUMERICOID) {
                const Numeric number = DatumGetNumeric(datum);
                if (!numeric_is_nan(number) && !numeric_is_inf(number)) {
                    value->type = jbvNumeric;
                    value->val.numeric = number;
                    return;
                }
            }
            SetNumber(OutputFunctionCall(type.output, datum), value);
            return;
        case JsonKind::kDate:
        case JsonKind::kTimestamp:
        case JsonKind::kTimestamptz: {
            auto* buffer = static_cast<char*>(palloc(MAXDATELEN + 1));
            JsonEncodeDateTime(buffer, datum, type.base, nullptr);
            SetString(buffer, value);
            return;
        }
        case JsonKind::kJson:
            if (type.base == JSONBOID) {
                Unfold(DatumGetJsonbP(datum), value);
            } else {
                SetJson(OutputFunctionCall(type.output, datum), value);
            }
            return;
        case JsonKind::kString:
            if (type.base == TEXTOID || type.base == VARCHAROID || type.base == BPCHAROID) {
                const text* packed = DatumGetTextPP(datum);
                SetString(
                    {VARDATA_ANY(packed), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(packed))},
                    value);
                return;
            }
            break;
        case JsonKind::kConvert:
            Unfold(DatumGetJsonbP(FunctionCall1(type.to_jsonb, datum)), value);
            return;
        case JsonKind::kLocal:
            break;
    }
    SetString(OutputFunctionCall(type.output, datum), value);
}

void Convert(const JsonType& type, std::uintptr_t datum, core::Oid owner, JsonbValue* value) {
    const JsonType* plain = &type;
    const bool made = Survive(owner, [plain, datum, value]() {
        if (plain->kind == JsonKind::kConvert) {
            Unfold(DatumGetJsonbP(FunctionCall1(plain->to_jsonb, datum)), value);
            return;
        }
        if (plain->base == CASHOID) {  // the owner's scope takes it back
            set_config_option("lc_monetary", "C", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                              0, false);
        }
        ToJson(*plain, datum, value);
    });
    if (!made) {
        const char* text =
            pg::Call([plain, datum]() { return OutputFunctionCall(plain->output, datum); });
        SetString(text, value);
    }
}

PinnedOutput::PinnedOutput()
    : date_style_(DateStyle),
      interval_style_(IntervalStyle),
      float_digits_(extra_float_digits),
      bytea_(bytea_output),
      zone_(session_timezone) {
    DateStyle = USE_ISO_DATES;
    IntervalStyle = INTSTYLE_POSTGRES;
    extra_float_digits = 3;
    bytea_output = BYTEA_OUTPUT_HEX;
    session_timezone = pg::Call([]() { return pg_tzset("GMT"); });
}

PinnedOutput::~PinnedOutput() noexcept {
    DateStyle = date_style_;
    IntervalStyle = interval_style_;
    extra_float_digits = float_digits_;
    bytea_output = bytea_;
    session_timezone = static_cast<pg_tz*>(zone_);
}

bool JsonKeyLess(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace bitvelocity::trail
