// set_context(): who acts, for the rest of the transaction or session. Only settings change:
// nothing is written, so a transaction that only reads gets no transaction id.

#include "pg/boundary.hpp"
#include "pg/settings.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::audit {

namespace {

// Plain, may raise 22023 by the setting's own check.
void Set(const char* name, const char* value, bool is_local) {
    set_config_option(name, value, superuser() ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
                      is_local ? GUC_ACTION_LOCAL : GUC_ACTION_SET, true, 0, false);
}

}  // namespace

}  // namespace bitvelocity::audit

// set_context(actor, correlation_id, traceparent, is_local) RETURNS void. The whole context at
// once: what is NULL is unknown from here on, so that a pooled session never mixes two callers.
BV_FUNCTION(bitvelocity_set_context) {
    using bitvelocity::audit::Set;
    bitvelocity::pg::Call([fcinfo]() {
        const bool is_local = PG_ARGISNULL(3) || PG_GETARG_BOOL(3);
        const char* correlation =
            PG_ARGISNULL(1) ? ""
                            : DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(1)));
        Set("bitvelocity.actor", PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0)),
            is_local);
        Set("bitvelocity.correlation_id", correlation, is_local);
        Set("bitvelocity.traceparent", PG_ARGISNULL(2) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(2)),
            is_local);
    });
    return static_cast<Datum>(0);
}

// current_actor() RETURNS text: the actor, else the session's user. Stable: a default that keeps
// COPY fast.
BV_FUNCTION(bitvelocity_current_actor) {
    return bitvelocity::pg::Call([]() -> Datum {
        const char* actor = bitvelocity::pg::settings::actor;
        if (actor == nullptr || *actor == '\0') {
            actor = GetUserNameFromId(GetSessionUserId(), false);
        }
        return CStringGetTextDatum(actor);
    });
}
