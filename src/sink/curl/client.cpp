// The HTTP client of bitvelocity_registry.so: libcurl's multi interface behind one descriptor.
//
// libcurl tells which sockets it waits for; they stand in an epoll set, whose own descriptor is the
// wake descriptor. Name resolution may start a thread, so signals are blocked around every call.
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sink/blocked_signals.hpp"
#include "sink/registry/http.hpp"

namespace bitvelocity::sink::registry {

namespace {

constexpr long kDefaultTimeoutMs = 5000;
constexpr std::int64_t kLongestWaitMs = 1000;
constexpr int kSockets = 16;  // looked at in one call
constexpr std::size_t kLargestAnswer = 4 << 20;

struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// name without the prefix -> libcurl's option; all are texts.
struct Property {
    const char* name;
    CURLoption option;
};
constexpr Property kProperties[] = {
    {"basic.auth.user.info", CURLOPT_USERPWD},
    {"bearer.auth.token", CURLOPT_XOAUTH2_BEARER},
    {"ssl.ca.location", CURLOPT_CAINFO},
    {"ssl.certificate.location", CURLOPT_SSLCERT},
    {"ssl.key.location", CURLOPT_SSLKEY},
    {"ssl.key.password", CURLOPT_KEYPASSWD},
    {"proxy", CURLOPT_PROXY},
};

core::Status ConfigError(std::string message, std::string hint = {}) {
    return core::Status::Fail(core::kConfigFileError, std::move(message), {}, std::move(hint));
}

class CurlClient final : public HttpClient {
  public:
    static core::Result<std::unique_ptr<CurlClient>> Create(const HttpOptions& options);
    ~CurlClient() override;

    core::Status Start(const Request& request) override;
    core::Result<Progress> Poll() override;
    [[nodiscard]] int wake_fd() const override { return epoll_; }
    [[nodiscard]] std::int64_t wait_ms() const override;

  private:
    CurlClient() = default;

    core::Status Configure(const HttpOptions& options);
    core::Status SetUrl(const std::string& url);
    core::Status Reach(CURLcode code) const;
    void Stop();

    static int OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*);
    static std::size_t OnBody(const char* data, std::size_t size, std::size_t count, void* self);

    int epoll_ = -1;
    std::unique_ptr<CURLM, MultiDeleter> multi_;
    std::unique_ptr<CURL, EasyDeleter> easy_;
    std::unique_ptr<curl_slist, ListDeleter> headers_;
    std::string url_;
    std::string shown_url_;  // without credentials
    std::string body_;
    Response response_;
    bool running_ = false;
    char error_[CURL_ERROR_SIZE] = "";
};

core::Result<std::unique_ptr<CurlClient>> CurlClient::Create(const HttpOptions& options) {
    const BlockedSignals blocked;
    std::unique_ptr<CurlClient> client(new CurlClient());
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return core::Status::Fail(core::kInternalError, "libcurl could not be initialised");
    }
    client->epoll_ = epoll_create1(EPOLL_CLOEXEC);
    client->multi_.reset(curl_multi_init());
    client->easy_.reset(curl_easy_init());
    for (const char* header :
         {"Content-Type: application/vnd.schemaregistry.v1+json",
          "Accept: application/vnd.schemaregistry.v1+json, application/json", "Expect:"}) {
        client->headers_.reset(curl_slist_append(client->headers_.release(), header));
    }
    if (client->epoll_ < 0 || client->multi_ == nullptr || client->easy_ == nullptr ||
        client->headers_ == nullptr) {
        return core::Status::Fail(core::kInternalError, "libcurl could not be initialised");
    }
    BV_RETURN_IF_ERROR(client->Configure(options));
    return client;
}

CurlClient::~CurlClient() {
    const BlockedSignals blocked;
    Stop();
    easy_.reset();
    multi_.reset();
    if (epoll_ >= 0) {
        close(epoll_);
    }
}

core::Status CurlClient::Configure(const HttpOptions& options) {
    CURL* easy = easy_.get();
    long timeout_ms = kDefaultTimeoutMs;
    for (const auto& [full_name, value] : options.properties) {
        const std::string name =
            full_name.substr(std::min(kPropertyPrefix.size(), full_name.size()));
        if (name == "url") {
            BV_RETURN_IF_ERROR(SetUrl(value));
            continue;
        }
        if (name == "timeout.ms") {
            char* end = nullptr;
            timeout_ms = std::strtol(value.c_str(), &end, 10);
            if (value.empty() || *end != '\0' || timeout_ms < 1 || timeout_ms > 600'000) {
                return ConfigError("schema.registry.timeout.ms must be between 1 and 600000");
            }
            continue;
        }
        const auto* const found = std::find_if(
            std::begin(kProperties), std::end(kProperties),
            [&name = name](const Property& property) { return name == property.name; });
        if (found == std::end(kProperties)) {
            return ConfigError("unknown property \"" + full_name + "\" in the connection file");
        }
        curl_easy_setopt(easy, found->option, value.c_str());
        if (found->option == CURLOPT_XOAUTH2_BEARER) {
            curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        }
    }
    if (url_.empty()) {
        return ConfigError("the connection has no schema.registry.url",
                           "Write schema.registry.url = https://host:port into its section of the "
                           "connection file.");
    }
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "bitvelocity");
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &OnSocket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    return core::Status::Ok();
}

core::Status CurlClient::SetUrl(const std::string& url) {
    url_ = url;
    while (!url_.empty() && url_.back() == '/') {
        url_.pop_back();
    }
    if (!url_.starts_with("http://") && !url_.starts_with("https://")) {
        return ConfigError("schema.registry.url must begin with http:// or https://");
    }
    shown_url_ = url_;
    const std::size_t host = shown_url_.find("//") + 2;
    const std::size_t path = std::min(shown_url_.find('/', host), shown_url_.size());
    const std::size_t at = shown_url_.rfind('@', path);
    if (at != std::string::npos && at >= host) {
        shown_url_.erase(host, at + 1 - host);
    }
    return core::Status::Ok();
}

core::Status CurlClient::Start(const Request& request) {
    const BlockedSignals blocked;
    Stop();
    CURL* easy = easy_.get();
    response_ = {};
    body_ = request.body;
    error_[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, (url_ + request.path).c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body_.data());
    if (curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
        return core::Status::Fail(core::kInternalError, "libcurl did not take a request");
    }
    running_ = true;
    return core::Status::Ok();
}

core::Result<Progress> CurlClient::Poll() {
    const BlockedSignals blocked;
    Progress progress;
    int running = 0;
    epoll_event events[kSockets];
    const int ready = epoll_wait(epoll_, events, kSockets, 0);
    for (int i = 0; i < ready; ++i) {
        const int mask = ((events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                         ((events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                         ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi_.get(), events[i].data.fd, mask, &running);
    }
    // Timers that are due; a new request is one.
    curl_multi_socket_action(multi_.get(), CURL_SOCKET_TIMEOUT, 0, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        const CURLcode code = message->data.result;
        long status = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        Stop();
        if (code != CURLE_OK) {
            return Reach(code);
        }
        progress.done = true;
        response_.status = static_cast<int>(status);
        progress.response = std::move(response_);
        break;
    }
    return progress;
}

std::int64_t CurlClient::wait_ms() const {
    long timeout = -1;
    curl_multi_timeout(multi_.get(), &timeout);
    return timeout < 0 ? kLongestWaitMs
                       : std::min<std::int64_t>(std::max(timeout, 1L), kLongestWaitMs);
}

core::Status CurlClient::Reach(CURLcode code) const {
    // libcurl's longer text may hold what changes with every attempt.
    return core::Status::Fail(core::kConnectionFailure,
                              "the schema registry at " + shown_url_ + " could not be reached",
                              std::string(curl_easy_strerror(code)) + ".");
}

void CurlClient::Stop() {
    if (running_) {
        curl_multi_remove_handle(multi_.get(), easy_.get());
        running_ = false;
    }
}

int CurlClient::OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*) {
    const int epoll = static_cast<CurlClient*>(self)->epoll_;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);
        return 0;
    }
    epoll_event event{};
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    event.data.fd = socket;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0) {
        epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
    }
    return 0;
}

std::size_t CurlClient::OnBody(const char* data, std::size_t size, std::size_t count, void* self) {
    std::string& body = static_cast<CurlClient*>(self)->response_.body;
    if (body.size() + size * count > kLargestAnswer) {
        return 0;
    }
    body.append(data, size * count);
    return size * count;
}

}  // namespace

}  // namespace bitvelocity::sink::registry

extern "C" __attribute__((visibility("default"))) bitvelocity::sink::registry::HttpClient*
bitvelocity_registry_client(const bitvelocity::sink::registry::HttpOptions* options,
                            bitvelocity::core::Error* error) {
    auto made = bitvelocity::sink::registry::CurlClient::Create(*options);
    if (!made.ok()) {
        *error = made.TakeStatus().TakeError();
        return nullptr;
    }
    return made.value().release();
}
