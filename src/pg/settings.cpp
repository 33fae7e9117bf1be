#include "pg/settings.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::pg::settings {

bool enabled = true;
int max_task_workers = 2;
int stream_memory_kb = 128 * 1024;
char* connection_file = nullptr;
int log_interval_s = 60;
bool flush_async_commits = true;
int max_streams = 16;
int row_writer = static_cast<int>(RowWriter::kOwn);
char* actor = nullptr;
char* correlation_id = nullptr;
char* traceparent = nullptr;

namespace {

// A UUID in its text form (RFC 9562, section 4), or nothing.
bool CheckCorrelationId(char** value, void** /*extra*/, GucSource /*source*/) {
    const char* s = *value;
    if (s == nullptr || *s == '\0') {
        return true;
    }
    if (std::strlen(s) != 36) {
        GUC_check_errdetail("A correlation id is a UUID of 36 characters.");
        return false;
    }
    for (int i = 0; i < 36; ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !std::isxdigit(static_cast<unsigned char>(s[i]))) {
            GUC_check_errdetail("A correlation id is a UUID of 36 characters.");
            return false;
        }
    }
    return true;
}

// W3C Trace Context, version 00: 00-<32 hex>-<16 hex>-<2 hex>, lower case, ids not all zero.
bool CheckTraceparent(char** value, void** /*extra*/, GucSource /*source*/) {
    const char* s = *value;
    if (s == nullptr || *s == '\0') {
        return true;
    }
    bool good = std::strlen(s) == 55;
    bool trace = false;
    bool parent = false;
    for (int i = 0; good && i < 55; ++i) {
        if (i == 2 || i == 35 || i == 52) {
            good = s[i] == '-';
            continue;
        }
        good = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
        trace |= i > 2 && i < 35 && s[i] != '0';
        parent |= i > 35 && i < 52 && s[i] != '0';
    }
    if (!good || !trace || !parent || std::strncmp(s, "ff", 2) == 0) {
        GUC_check_errdetail(
            "A traceparent is version-traceid-parentid-flags in lower-case hexadecimal, for "
            "example "
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.");
        return false;
    }
    return true;
}

bool CheckActor(char** value, void** /*extra*/, GucSource /*source*/) {
    if (*value != nullptr && std::strlen(*value) > 1024) {
        GUC_check_errdetail("An actor has at most 1024 bytes.");
        return false;
    }
    return true;
}

const config_enum_entry kRowWriters[] = {
    {"own", static_cast<int>(RowWriter::kOwn), false},
    {"verified", static_cast<int>(RowWriter::kVerified), false},
    {"pgoutput", static_cast<int>(RowWriter::kPgoutput), false},
    {nullptr, 0, false}};

}  // namespace

void Define() {
    DefineCustomStringVariable(
        "bitvelocity.actor", "Who acts, as claimed by the application.",
        "Recorded with every change; SET LOCAL or bitvelocity.set_context().", &actor, "",
        PGC_USERSET, 0, CheckActor, nullptr, nullptr);
    DefineCustomStringVariable(
        "bitvelocity.connection_file", "File with brokers and secrets, mode 0600.",
        "Keep it outside the data directory; sections [name] of librdkafka properties.",
        &connection_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
    DefineCustomStringVariable(
        "bitvelocity.correlation_id", "UUID that ties changes of several services together.",
        nullptr, &correlation_id, "", PGC_USERSET, 0, CheckCorrelationId, nullptr, nullptr);
    DefineCustomBoolVariable("bitvelocity.enabled", "Runs the background workers.",
                             "Off: streams stop, slots keep retaining WAL.", &enabled, true,
                             PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable(
        "bitvelocity.flush_async_commits",
        "Flushes WAL at once for commits made with synchronous_commit = off.",
        "On: their changes arrive without waiting for the WAL writer, at the cost of one flush.",
        &flush_async_commits, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "bitvelocity.log_interval", "Least time between two repeats of the same message.", nullptr,
        &log_interval_s, 60, 1, 86400, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("bitvelocity.max_task_workers",
                            "Most task workers at once in one database.", nullptr,
                            &max_task_workers, 2, 1, 64, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable(
        "bitvelocity.row_writer", "Who writes the messages of rows that decoding makes.",
        "own: the decoder, where its message equals pgoutput's to the byte; verified: pgoutput, "
        "and a difference is an error; pgoutput: pgoutput alone.",
        &row_writer, static_cast<int>(RowWriter::kOwn), kRowWriters, PGC_SIGHUP, 0, nullptr,
        nullptr, nullptr);
    DefineCustomIntVariable(
        "bitvelocity.stream_memory", "Memory of one stream.",
        "Half for decoding (at least 64 MB before spilling), an eighth for the queue.",
        &stream_memory_kb, 128 * 1024, 96 * 1024, 16 * 1024 * 1024, PGC_SIGHUP, GUC_UNIT_KB,
        nullptr, nullptr, nullptr);
    DefineCustomStringVariable("bitvelocity.traceparent", "W3C trace context of the caller.",
                               nullptr, &traceparent, "", PGC_USERSET, 0, CheckTraceparent, nullptr,
                               nullptr);
    if (process_shared_preload_libraries_in_progress) {
        DefineCustomIntVariable("bitvelocity.max_streams", "Most streams in the whole cluster.",
                                "Sizes shared memory.", &max_streams, 16, 1, 1024, PGC_POSTMASTER,
                                0, nullptr, nullptr, nullptr);
    }
    MarkGUCPrefixReserved("bitvelocity");
}

}  // namespace bitvelocity::pg::settings
