// SQL functions that fail in every way the boundary has to survive; built and loaded by
// test/t/10_boundary.sh only.

#include <stdexcept>

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

extern "C" {
PG_MODULE_MAGIC;
}

namespace bitvelocity {
namespace {

int g_destroyed = 0;

struct Witness {
    Witness() = default;
    ~Witness() { ++g_destroyed; }
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;
};

void RaiseThreeDeep(int depth) {
    const Witness witness;
    if (depth > 0) {
        RaiseThreeDeep(depth - 1);
        return;
    }
    pg::Call([]() {
        ereport(ERROR, (errcode(ERRCODE_EXCLUSION_VIOLATION), errmsg("raised below three frames"),
                        errdetail("The detail is kept."), errhint("The hint is kept.")));
    });
}

}  // namespace

// An ERROR of the server below three C++ frames with destructors.
BV_FUNCTION(boundary_error_below_frames) {
    RaiseThreeDeep(2);
    PG_RETURN_VOID();
}

BV_FUNCTION(boundary_destroyed) {
    PG_RETURN_INT32(g_destroyed);
}

BV_FUNCTION(boundary_throw) {
    const Witness witness;
    switch (PG_GETARG_INT32(0)) {
        case 1:
            pg::Throw("22023", "thrown as a status", "A detail of ours.", "A hint of ours.");
        case 2:
            throw std::runtime_error("thrown as a standard exception");
        case 3:
            throw 42;
        case 4:
            throw std::bad_alloc();
        default:
            PG_RETURN_VOID();
    }
}

// An exception in a callback that C code of the server calls: it becomes an ERROR at the callback's
// edge, jumps over the C frames, and becomes an exception again.
BV_FUNCTION(boundary_throw_in_callback) {
    const Witness witness;
    int numbers[] = {3, 1, 2};
    int* data = numbers;
    pg::Call([data]() {
        qsort_arg(
            data, 3, sizeof(int),
            [](const void*, const void*, void*) -> int {
                return pg::Enter([]() -> int {
                    const Witness inside;
                    pg::Throw("P0001", "thrown inside a callback", "Detail of the callback.",
                              "Hint of the callback.");
                });
            },
            nullptr);
    });
    PG_RETURN_VOID();
}

// Survives an ERROR by rolling back a subtransaction, and goes on with SQL.
BV_FUNCTION(boundary_survive) {
    std::string caught;
    {
        pg::SpiScope spi;
        try {
            pg::SubtransactionScope attempt;
            spi.Execute("SELECT 1 / 0");
            attempt.Commit();
        } catch (const pg::PgError& error) {
            caught = error.ToError().sqlstate;
        }
        const pg::Rows rows =
            spi.Execute("SELECT $1 || ' and 6 * 7 is ' || 6 * 7", {pg::Param::Text(caught)});
        caught = rows.Text(0, 1).value_or("");
    }
    text* result = pg::Call([value = caught.c_str()]() { return cstring_to_text(value); });
    PG_RETURN_TEXT_P(result);
}

}  // namespace bitvelocity
