// The boundary between C++ exceptions and PostgreSQL's ereport. The only place that knows setjmp
// and catch (...).
//
//   Enter: PostgreSQL calls C++. Every exception becomes an ereport, raised after the last C++
//   frame
//          is gone. Used by every SQL function (BV_FUNCTION), worker main, hook and callback.
//   Call:  C++ calls PostgreSQL. An ERROR becomes a PgError exception, so destructors run.
//
// In a Call lambda: plain data only, because an ERROR jumps out of it; its result is trivially
// destructible. Guard coarsely: one Call per row or statement. After a PgError: propagate it or
// abort the (sub)transaction; never log it and go on. Main thread only.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/status.hpp"

struct ErrorData;

namespace bitvelocity::pg {

// An ERROR of PostgreSQL, whole: SQLSTATE, message, detail, hint, context, names of objects.
class PgError : public std::exception {
  public:
    explicit PgError(ErrorData* data);  // takes a copy made by CopyErrorData in TopMemoryContext
    PgError(const PgError& other);
    PgError& operator=(const PgError&) = delete;
    ~PgError() override;

    [[nodiscard]] const char* what() const noexcept override;
    [[nodiscard]] const ErrorData* data() const { return data_; }
    // The same as a value, for state tables and logs.
    [[nodiscard]] core::Error ToError() const;

  private:
    ErrorData* data_;
};

// An error of our own on its way to an ereport.
class StatusError : public std::exception {
  public:
    explicit StatusError(core::Error error) : error_(std::move(error)) {}
    [[nodiscard]] const char* what() const noexcept override { return error_.message.c_str(); }
    [[nodiscard]] const core::Error& error() const { return error_; }

  private:
    core::Error error_;
};

[[noreturn]] void Throw(std::string_view sqlstate, std::string message, std::string detail = {},
                        std::string hint = {});
void ThrowIfError(core::Status status);
template <typename T>
T ValueOrThrow(core::Result<T> result) {
    if (!result.ok()) {
        ThrowIfError(result.TakeStatus());
    }
    return std::move(*result);
}

// Runs `function`, any exception of which is turned into a value: for workers that record an error
// and exit, and for tests. After a PgError the transaction must be aborted by the caller.
[[nodiscard]] core::Status Catch(void (*function)(void*), void* argument) noexcept;
template <typename F>
[[nodiscard]] core::Status Catch(F&& function) noexcept {
    return Catch([](void* f) { (*static_cast<std::remove_reference_t<F>*>(f))(); }, &function);
}

namespace internal {
// Runs `function`; a C++ exception becomes an ErrorData (never null memory, never throws).
ErrorData* RunCatching(void (*function)(void*), void* argument) noexcept;
[[noreturn]] void RaiseCaught(ErrorData* data);
// Runs `function`; a longjmp becomes a PgError.
void RunGuarded(void (*function)(void*), void* argument);
}  // namespace internal

template <typename F>
auto Enter(F&& function) -> std::invoke_result_t<F> {
    using R = std::invoke_result_t<F>;
    ErrorData* caught = nullptr;
    if constexpr (std::is_void_v<R>) {
        caught = internal::RunCatching(
            [](void* f) { (*static_cast<std::remove_reference_t<F>*>(f))(); }, &function);
        if (caught != nullptr) {
            internal::RaiseCaught(caught);
        }
    } else {
        static_assert(std::is_trivially_destructible_v<R>);
        struct Frame {
            std::remove_reference_t<F>* function;
            R result;
        } frame{&function, {}};
        caught = internal::RunCatching(
            [](void* f) {
                auto* self = static_cast<Frame*>(f);
                self->result = (*self->function)();
            },
            &frame);
        if (caught != nullptr) {
            internal::RaiseCaught(caught);
        }
        return frame.result;
    }
}

template <typename F>
auto Call(F&& function) -> std::invoke_result_t<F> {
    using R = std::invoke_result_t<F>;
    if constexpr (std::is_void_v<R>) {
        internal::RunGuarded([](void* f) { (*static_cast<std::remove_reference_t<F>*>(f))(); },
                             &function);
    } else {
        static_assert(std::is_trivially_destructible_v<R>,
                      "an ERROR jumps over destructors: return plain data");
        struct Frame {
            std::remove_reference_t<F>* function;
            R result;
        } frame{&function, {}};
        internal::RunGuarded(
            [](void* f) {
                auto* self = static_cast<Frame*>(f);
                self->result = (*self->function)();
            },
            &frame);
        return frame.result;
    }
}

}  // namespace bitvelocity::pg

// Defines an SQL-callable function; its body may throw and use RAII.
//   BV_FUNCTION(bitvelocity_create_stream) { ... return PointerGetDatum(...); }   // uses fcinfo
#define BV_FUNCTION(name)                                                                     \
    extern "C" {                                                                              \
    BV_EXPORT Datum name(PG_FUNCTION_ARGS);                                                   \
    PG_FUNCTION_INFO_V1(name);                                                                \
    }                                                                                         \
    static Datum name##_body(FunctionCallInfo fcinfo);                                        \
    extern "C" Datum name(PG_FUNCTION_ARGS) {                                                 \
        return ::bitvelocity::pg::Enter([fcinfo]() -> Datum { return name##_body(fcinfo); }); \
    }                                                                                         \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
