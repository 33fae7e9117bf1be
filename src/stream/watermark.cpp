#include "stream/watermark.hpp"

#include "pg/boundary.hpp"
#include "wal/parser.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

// The message's record carries the session's origin; this one has none.
class WithoutOrigin {
  public:
    WithoutOrigin() : saved_(replorigin_session_origin) {
        replorigin_session_origin = InvalidRepOriginId;
    }
    ~WithoutOrigin() noexcept { replorigin_session_origin = saved_; }
    WithoutOrigin(const WithoutOrigin&) = delete;
    WithoutOrigin& operator=(const WithoutOrigin&) = delete;

  private:
    RepOriginId saved_;
};

}  // namespace

void WriteWatermark(const std::string& stream, const std::string& mark) {
    std::string content = GetShared()->context_secret;
    content += '\0';
    content += stream;
    content += '\0';
    content += mark;
    static const std::string prefix(wal::kWatermarkPrefix);
    const WithoutOrigin without_origin;
    pg::Call([name = prefix.c_str(), text = content.data(), size = content.size()]() {
        XLogFlush(pg::compat::EmitMessage(name, text, size, false));
    });
}

}  // namespace bitvelocity::stream
