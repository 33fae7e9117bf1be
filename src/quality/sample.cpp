// quality_sample: an aggregate that keeps the first few failing rows, so that samples come from the
// scan that counts. Its state is a plain array in the aggregate's memory. Backends; not parallel.

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::quality {

namespace {

// Plain data: it lives in the aggregate's memory context.
struct Samples {
    int count;
    int limit;
    Jsonb** keys;
    Jsonb** values;  // null: SQL NULL
};

Samples* NewSamples(MemoryContext context, int limit) {
    auto* samples = static_cast<Samples*>(MemoryContextAllocZero(context, sizeof(Samples)));
    samples->limit = limit;
    samples->keys = static_cast<Jsonb**>(MemoryContextAllocZero(context, sizeof(Jsonb*) * limit));
    samples->values = static_cast<Jsonb**>(MemoryContextAllocZero(context, sizeof(Jsonb*) * limit));
    return samples;
}

void PushKey(JsonbParseState** state, const char* name) {
    JsonbValue key;
    key.type = jbvString;
    key.val.string.val = const_cast<char*>(name);
    key.val.string.len = static_cast<int>(std::strlen(name));
    pushJsonbValue(state, WJB_KEY, &key);
}

void PushValue(JsonbParseState** state, Jsonb* json) {
    JsonbValue value;
    if (json == nullptr) {
        value.type = jbvNull;
    } else {
        value.type = jbvBinary;
        value.val.binary.data = &json->root;
        value.val.binary.len = static_cast<int>(VARSIZE(json) - VARHDRSZ);
    }
    pushJsonbValue(state, WJB_VALUE, &value);
}

Jsonb* Render(const Samples* samples) {
    JsonbParseState* state = nullptr;
    pushJsonbValue(&state, WJB_BEGIN_ARRAY, nullptr);
    for (int i = 0; i < samples->count; ++i) {
        pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
        PushKey(&state, "key");
        PushValue(&state, samples->keys[i]);
        PushKey(&state, "value");
        PushValue(&state, samples->values[i]);
        pushJsonbValue(&state, WJB_END_OBJECT, nullptr);
    }
    return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, nullptr));
}

}  // namespace

// quality_sample_add(state internal, key jsonb, value jsonb, max_samples integer)
BV_FUNCTION(bitvelocity_quality_sample_add) {
    return pg::Call([fcinfo]() -> Datum {
        MemoryContext context = nullptr;
        if (!AggCheckCallContext(fcinfo, &context)) {
            elog(ERROR, "quality_sample_add called outside an aggregate");
        }
        auto* samples = PG_ARGISNULL(0) ? NewSamples(context, PG_GETARG_INT32(3))
                                        : reinterpret_cast<Samples*>(PG_GETARG_POINTER(0));
        if (samples->count < samples->limit && !PG_ARGISNULL(1)) {
            const MemoryContext old = MemoryContextSwitchTo(context);
            samples->keys[samples->count] = DatumGetJsonbPCopy(PG_GETARG_DATUM(1));
            samples->values[samples->count] =
                PG_ARGISNULL(2) ? nullptr : DatumGetJsonbPCopy(PG_GETARG_DATUM(2));
            ++samples->count;
            MemoryContextSwitchTo(old);
        }
        PG_RETURN_POINTER(samples);
    });
}

BV_FUNCTION(bitvelocity_quality_sample_final) {
    return pg::Call([fcinfo]() -> Datum {
        Samples none{};
        const auto* samples =
            PG_ARGISNULL(0) ? &none : reinterpret_cast<const Samples*>(PG_GETARG_POINTER(0));
        return JsonbPGetDatum(Render(samples));
    });
}

}  // namespace bitvelocity::quality
