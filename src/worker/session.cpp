#include "worker/session.hpp"

#include "worker/worker.hpp"

#include "pg/boundary.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

bool RefuseAuthorization(char** /*value*/, void** /*extra*/, GucSource /*source*/) {
    GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
    GUC_check_errmsg("a task worker cannot change its session authorization");
    return false;
}

bool RefuseParallel(int* value, void** /*extra*/, GucSource /*source*/) {
    if (*value == 0) {
        return true;
    }
    GUC_check_errmsg("a task worker of a role without LOGIN runs no parallel query");
    return false;
}

// Up to 16 a worker cannot be started as a role without LOGIN. It starts as the bootstrap superuser
// and becomes the role, before anything of the role runs; the one way back, SET SESSION
// AUTHORIZATION, is closed for the rest of the process. A parallel worker would be a process where
// it is open: none.
void BecomeForGood(Oid role) {
    config_generic* authorization = pg::compat::FindSetting("session_authorization");
    config_generic* parallel = pg::compat::FindSetting("max_parallel_workers_per_gather");
    if (authorization == nullptr || parallel == nullptr) {
        elog(ERROR, "settings of the session are missing");
    }
    SetConfigOption("max_parallel_workers_per_gather", "0", PGC_USERSET, PGC_S_OVERRIDE);
    reinterpret_cast<config_int*>(parallel)->check_hook = RefuseParallel;
    reinterpret_cast<config_string*>(authorization)->check_hook = RefuseAuthorization;
    StartTransactionCommand();
    const bool is_superuser = superuser_arg(role);
    CommitTransactionCommand();
    SetSessionAuthorization(role, is_superuser);
}

}  // namespace

void PinSession() {
    SetConfigOption("application_name", MyBgworkerEntry->bgw_type, PGC_USERSET, PGC_S_SESSION);
    SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION);
    SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
    SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
    SetConfigOption("default_transaction_deferrable", "off", PGC_USERSET, PGC_S_SESSION);
}

void Connect(core::Oid database, core::Oid role) {
    pg::Call([database, role]() {
        pg::compat::ConnectWorker(database, role);
        PinSession();
        pgstat_report_activity(STATE_IDLE, nullptr);
    });
}

void ConnectAsOwner(core::Oid database, core::Oid role, bool may_log_in) {
    if (may_log_in || pg::compat::kWorkersIgnoreLogin) {
        Connect(database, role);
        return;
    }
    Connect(database);
    pg::Call([role]() { BecomeForGood(role); });
}

}  // namespace bitvelocity::worker
