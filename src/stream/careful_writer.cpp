#include "stream/careful_writer.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "trail/bronze_writer.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::stream {

namespace {

// As many as the table writer takes at once.
constexpr std::size_t kRows = 1000;
constexpr std::size_t kBytes = 4 * 1024 * 1024;

bool IsPrimaryKey(const ErrorData& error) {
    if (error.schema_name == nullptr || error.constraint_name == nullptr) {
        return false;
    }
    return pg::Call([schema = error.schema_name, name = error.constraint_name]() {
        const Oid space = get_namespace_oid(schema, true);
        const Oid index = OidIsValid(space) ? get_relname_relid(name, space) : InvalidOid;
        const HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
        if (!HeapTupleIsValid(tuple)) {
            return false;
        }
        const bool primary = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple))->indisprimary;
        ReleaseSysCache(tuple);
        return primary;
    });
}

// Whether what the row says is the cause, so that the next row may well be taken: what a value
// cannot be (22), a constraint (23), a limit (54), a RAISE in a function of the user's (P0). Not a
// partition that is missing, nor a sequence that was set back.
bool IsOfTheRow(const ErrorData& error) {
    switch (ERRCODE_TO_CATEGORY(error.sqlerrcode)) {
        case MAKE_SQLSTATE('2', '2', '0', '0', '0'):
        case MAKE_SQLSTATE('5', '4', '0', '0', '0'):
        case MAKE_SQLSTATE('P', '0', '0', '0', '0'):
            return true;
        case MAKE_SQLSTATE('2', '3', '0', '0', '0'):
            if (error.sqlerrcode == ERRCODE_CHECK_VIOLATION) {
                return error.constraint_name != nullptr;
            }
            return error.sqlerrcode != ERRCODE_UNIQUE_VIOLATION || !IsPrimaryKey(error);
        default:
            return false;
    }
}

// Writes rows [from, to) in a subtransaction of their own; nothing: they are there.
template <typename Row>
std::optional<core::Error> Try(std::uint32_t bronze, std::size_t count, Row&& row) {
    try {
        pg::SubtransactionScope subtransaction;
        {
            trail::BronzeWriter writer(bronze);
            for (std::size_t i = 0; i < count; ++i) {
                writer.Write(row(i));
            }
            writer.Flush();
        }
        subtransaction.Commit();
        return std::nullopt;
    } catch (const pg::PgError& error) {
        if (!IsOfTheRow(*error.data())) {
            throw;
        }
        core::Error refused = error.ToError();
        refused.poison = true;
        return refused;
    }
}

}  // namespace

std::optional<core::Error> TryRow(std::uint32_t bronze, const core::Change& change) {
    return Try(bronze, 1, [&change](std::size_t) -> const core::Change& { return change; });
}

CarefulWriter::CarefulWriter(std::uint32_t bronze, const core::Source& source,
                             pipeline::LetterBox& letters, bool skip)
    : bronze_(bronze), source_(source), letters_(letters), skip_(skip) {}

void CarefulWriter::Write(const core::Change& change) {
    waiting_.push_back(
        std::make_unique<core::OwnedChange>(change, relations_.Get(change.relation), &source_));
    bytes_ += waiting_.back()->bytes();
    if (waiting_.size() >= kRows || bytes_ >= kBytes) {
        Flush();
    }
}

void CarefulWriter::Flush() {
    if (waiting_.empty()) {
        return;
    }
    WriteRange(0, waiting_.size());
    waiting_.clear();
    bytes_ = 0;
    pg::ThrowIfError(letters_.Flush());
}

void CarefulWriter::WriteRange(std::size_t from, std::size_t to) {
    const auto refused =
        Try(bronze_, to - from, [this, from](std::size_t i) -> const core::Change& {
            return waiting_[from + i]->change();
        });
    if (!refused) {
        rows_ += to - from;
        return;
    }
    if (to - from > 1) {
        const std::size_t middle = from + (to - from) / 2;
        WriteRange(from, middle);
        WriteRange(middle, to);
        return;
    }
    const pipeline::Letter letter{waiting_[from]->change(), {}, false, {}, *refused};
    letters_.Note(letter);
    if (!skip_) {
        pg::ThrowIfError(letters_.Store(letter));
    }
}

}  // namespace bitvelocity::stream
