#include "pg/boundary.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::pg {

namespace {

ErrorData* CopyInto(MemoryContext context, const ErrorData* source) {
    const MemoryContext old = MemoryContextSwitchTo(context);
    auto* copy = static_cast<ErrorData*>(palloc(sizeof(ErrorData)));
    *copy = *source;
    auto duplicate = [](char* text) { return text == nullptr ? nullptr : pstrdup(text); };
    copy->message = duplicate(copy->message);
    copy->detail = duplicate(copy->detail);
    copy->detail_log = duplicate(copy->detail_log);
    copy->hint = duplicate(copy->hint);
    copy->context = duplicate(copy->context);
    copy->backtrace = duplicate(copy->backtrace);
    copy->schema_name = duplicate(copy->schema_name);
    copy->table_name = duplicate(copy->table_name);
    copy->column_name = duplicate(copy->column_name);
    copy->datatype_name = duplicate(copy->datatype_name);
    copy->constraint_name = duplicate(copy->constraint_name);
    copy->internalquery = duplicate(copy->internalquery);
    MemoryContextSwitchTo(old);
    return copy;
}

// What is raised when there is no memory left to describe what happened.
ErrorData* OutOfMemory() {
    static ErrorData data{};
    data.elevel = ERROR;
    data.sqlerrcode = ERRCODE_OUT_OF_MEMORY;
    data.message = const_cast<char*>("out of memory");
    return &data;
}

char* CopyText(const std::string& text) {
    if (text.empty()) {
        return nullptr;
    }
    auto* copy = static_cast<char*>(
        MemoryContextAllocExtended(ErrorContext, text.size() + 1, MCXT_ALLOC_NO_OOM));
    if (copy != nullptr) {
        std::memcpy(copy, text.c_str(), text.size() + 1);
    }
    return copy;
}

ErrorData* FromError(const core::Error& error) {
    auto* data = static_cast<ErrorData*>(MemoryContextAllocExtended(
        ErrorContext, sizeof(ErrorData), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO));
    if (data == nullptr) {
        return OutOfMemory();
    }
    data->elevel = ERROR;
    data->sqlerrcode = ERRCODE_INTERNAL_ERROR;
    if (error.sqlstate.size() == 5) {
        const char* s = error.sqlstate.data();
        data->sqlerrcode = MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4]);
    }
    data->message = CopyText(error.message.empty() ? std::string("unknown error") : error.message);
    data->detail = CopyText(error.detail);
    data->hint = CopyText(error.hint);
    return data->message == nullptr ? OutOfMemory() : data;
}

ErrorData* FromPgError(const PgError& error) {
    // The exception owns the record and dies with the catch block, so it is copied once more; an
    // ERROR raised by that copy must not jump over C++ frames.
    struct Copy {
        const ErrorData* source;
        ErrorData* result;
    } copy{error.data(), nullptr};
    try {
        internal::RunGuarded(
            [](void* frame) {
                auto* self = static_cast<Copy*>(frame);
                self->result = CopyInto(ErrorContext, self->source);
            },
            &copy);
    } catch (...) {
        return OutOfMemory();
    }
    return copy.result;
}

}  // namespace

PgError::PgError(ErrorData* data) : data_(data) {}

PgError::PgError(const PgError& other) : std::exception(other), data_(nullptr) {
    data_ = Call([&]() { return CopyInto(TopMemoryContext, other.data_); });
}

PgError::~PgError() {
    if (data_ != nullptr) {
        FreeErrorData(data_);
    }
}

const char* PgError::what() const noexcept {
    return data_->message != nullptr ? data_->message : "unknown error";
}

core::Error PgError::ToError() const {
    core::Error error;
    error.sqlstate = unpack_sql_state(data_->sqlerrcode);
    error.message = what();
    error.detail = data_->detail != nullptr ? data_->detail : "";
    error.hint = data_->hint != nullptr ? data_->hint : "";
    return error;
}

void Throw(std::string_view sqlstate, std::string message, std::string detail, std::string hint) {
    throw StatusError(
        core::Error{std::string(sqlstate), std::move(message), std::move(detail), std::move(hint)});
}

void ThrowIfError(core::Status status) {
    if (!status.ok()) {
        throw StatusError(status.TakeError());
    }
}

core::Status Catch(void (*function)(void*), void* argument) noexcept {
    try {
        function(argument);
        return core::Status::Ok();
    } catch (const PgError& error) {
        return core::Status(error.ToError());
    } catch (const StatusError& error) {
        return core::Status(error.error());
    } catch (const std::exception& error) {
        return core::Status::Fail(core::kInternalError, error.what());
    } catch (...) {
        return core::Status::Fail(core::kInternalError, "unknown C++ exception");
    }
}

namespace internal {

ErrorData* RunCatching(void (*function)(void*), void* argument) noexcept {
    try {
        function(argument);
        return nullptr;
    } catch (const PgError& error) {
        return FromPgError(error);
    } catch (const StatusError& error) {
        return FromError(error.error());
    } catch (const std::bad_alloc&) {
        return OutOfMemory();
    } catch (const std::exception& error) {
        core::Error plain;
        plain.message = error.what();
        return FromError(plain);
    } catch (...) {
        core::Error plain;
        plain.message = "unknown C++ exception";
        return FromError(plain);
    }
}

void RaiseCaught(ErrorData* data) {
    // ThrowErrorData copies the record into the error stack; elevel below ERROR cannot get here.
    data->elevel = ERROR;
    ThrowErrorData(data);
    pg_unreachable();
}

void RunGuarded(void (*function)(void*), void* argument) {
    sigjmp_buf* const saved_stack = PG_exception_stack;
    ErrorContextCallback* const saved_context = error_context_stack;
    const MemoryContext saved_memory = CurrentMemoryContext;
    // A C++ exception may pass through as well (a callback that PostgreSQL did not see).
    struct Restore {
        sigjmp_buf* stack;
        ErrorContextCallback* context;
        ~Restore() {
            PG_exception_stack = stack;
            error_context_stack = context;
        }
    } restore{saved_stack, saved_context};

    sigjmp_buf here;
    if (sigsetjmp(here, 0) == 0) {
        PG_exception_stack = &here;
        function(argument);
        return;
    }
    PG_exception_stack = saved_stack;
    error_context_stack = saved_context;

    ErrorData* volatile copy = nullptr;
    sigjmp_buf again;
    if (sigsetjmp(again, 0) == 0) {
        PG_exception_stack = &again;
        MemoryContextSwitchTo(TopMemoryContext);
        copy = CopyErrorData();
    }
    PG_exception_stack = saved_stack;
    FlushErrorState();
    MemoryContextSwitchTo(saved_memory);
    if (copy == nullptr) {
        throw std::bad_alloc();
    }
    throw PgError(copy);
}

}  // namespace internal

}  // namespace bitvelocity::pg
