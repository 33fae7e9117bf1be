#include <limits>
#include <gtest/gtest.h>

#include <deque>

#include <nlohmann/json.hpp>

#include "pipeline/registered_schemas.hpp"

namespace bitvelocity::test {
namespace {

using format::avro::SchemaPart;
using pipeline::RegisteredSchemas;
using sink::registry::Progress;
using sink::registry::Request;

// Answers what a test lined up; an empty answer is a registry that cannot be reached.
class Registry final : public sink::registry::HttpClient {
  public:
    struct Script {
        std::vector<Request> requests;
        std::deque<sink::registry::Response> answers;
        int polls_before_done = 0;
    };
    explicit Registry(Script& script) : script_(script) {}

    core::Status Start(const Request& request) override {
        script_.requests.push_back(request);
        polls_ = 0;
        return core::Status::Ok();
    }
    core::Result<Progress> Poll() override {
        if (polls_++ < script_.polls_before_done) {
            return Progress{};
        }
        sink::registry::Response answer;
        if (!script_.answers.empty()) {
            answer = script_.answers.front();
            script_.answers.pop_front();
        }
        if (answer.status == 0) {
            return core::Status::Fail(core::kConnectionFailure, "could not be reached", "Why.");
        }
        return Progress{true, answer};
    }
    [[nodiscard]] int wake_fd() const override { return -1; }
    [[nodiscard]] std::int64_t wait_ms() const override { return 1; }

  private:
    Script& script_;
    int polls_ = 0;
};

// Waits for nothing, and stops whoever waits too often.
class Waiter final : public sink::Waiter {
  public:
    core::Status Wait(int, std::int64_t) override {
        return ++waits > limit ? core::Status::Fail(core::kQueryCanceled, "stopped")
                               : core::Status::Ok();
    }
    int waits = 0;
    int limit = 1'000'000;
};

class Schemas : public testing::Test {
  protected:
    RegisteredSchemas& Make(const std::string& options = "{}") {
        auto read = format::ReadOptions("avro", options, {});
        EXPECT_TRUE(read.ok());
        schemas_.emplace(read->avro, std::make_unique<Registry>(script_), waiter_, [this]() {
            ++served_;
            return core::Status::Ok();
        });
        schemas_->set_topic("shop.public.orders");
        return *schemas_;
    }

    Registry::Script script_;
    Waiter waiter_;
    int served_ = 0;
    std::optional<RegisteredSchemas> schemas_;
};

constexpr char kSchema[] = R"({"type":"string"})";

TEST_F(Schemas, RegistersOncePerSubjectAndSchema) {
    RegisteredSchemas& schemas = Make();
    script_.answers = {{200, R"({"id": 7})"}, {200, R"({"id": 8})"}};
    for (int i = 0; i < 3; ++i) {
        auto id = schemas.Find({SchemaPart::kValue, "a.R", kSchema});
        ASSERT_TRUE(id.ok());
        EXPECT_EQ(*id, 7U);
    }
    EXPECT_EQ(*schemas.Find({SchemaPart::kKey, "a.R", kSchema}), 8U);
    ASSERT_EQ(script_.requests.size(), 2U);
    EXPECT_EQ(script_.requests[0].method, "POST");
    EXPECT_EQ(script_.requests[0].path, "/subjects/shop.public.orders-value/versions");
    EXPECT_EQ(nlohmann::json::parse(script_.requests[0].body)["schema"], kSchema);
    EXPECT_EQ(script_.requests[1].path, "/subjects/shop.public.orders-key/versions");
}

TEST_F(Schemas, SubjectsFollowTheStrategy) {
    script_.answers = {{200, R"({"id": 1})"}, {200, R"({"id": 1})"}};
    (void)Make(R"({"avro.subject": "record", "avro.auto_register": false})")
        .Find({SchemaPart::kValue, "a.R", kSchema});
    EXPECT_EQ(script_.requests.back().path, "/subjects/a.R");
    (void)Make(R"({"avro.subject": "topic_record"})").Find({SchemaPart::kKey, "a.ü/", kSchema});
    EXPECT_EQ(script_.requests.back().path, "/subjects/shop.public.orders-a.%C3%BC%2F/versions");
}

TEST_F(Schemas, ARegistryThatIsAwayIsWaitedForAndShown) {
    RegisteredSchemas& schemas = Make();
    script_.answers = {{200, R"({"id": 7})"}};
    ASSERT_TRUE(schemas.Find({SchemaPart::kValue, "a.R", kSchema}).ok());
    // Away: what is known costs no request, what is new waits until it is told to stop.
    waiter_.limit = 2;
    EXPECT_EQ(*schemas.Find({SchemaPart::kValue, "a.R", kSchema}), 7U);
    EXPECT_TRUE(schemas.health().reachable);
    auto id = schemas.Find({SchemaPart::kKey, "a.R", kSchema});
    ASSERT_FALSE(id.ok());
    EXPECT_EQ(id.error().sqlstate, core::kQueryCanceled);
    EXPECT_FALSE(schemas.health().reachable);
    EXPECT_EQ(schemas.health().last_error, "could not be reached");
    EXPECT_GT(served_, 0);

    // 503 is its own trouble, too; then it is back.
    waiter_.limit = std::numeric_limits<int>::max();  // this waiter does not sleep
    script_.answers = {{503, "busy"}, {200, R"({"id": 9})"}};
    script_.polls_before_done = 2;
    EXPECT_EQ(*schemas.Find({SchemaPart::kKey, "a.R", kSchema}), 9U);
    EXPECT_TRUE(schemas.health().reachable);
}

TEST_F(Schemas, ARefusalIsAnErrorThatNamesSubjectAndReason) {
    RegisteredSchemas& schemas = Make();
    script_.answers = {{409, R"({"error_code": 409, "message": "reader missing default"})"},
                       {422, R"({"error_code": 42201, "message": "bad"})"},
                       {401, "<html>no</html>"},
                       {404, R"({"error_code": 40403, "message": "Schema not found"})"}};
    const auto error = [&]() {
        auto id = schemas.Find({SchemaPart::kValue, "a.R", kSchema});
        EXPECT_FALSE(id.ok());
        return id.ok() ? core::Error{} : id.error();
    };
    const core::Error incompatible = error();
    EXPECT_EQ(incompatible.sqlstate, core::kFeatureNotSupported);
    EXPECT_EQ(incompatible.message,
              "schema is not compatible with subject \"shop.public.orders-value\"");
    EXPECT_EQ(incompatible.detail, "reader missing default");
    EXPECT_FALSE(incompatible.hint.empty());
    EXPECT_EQ(error().message,
              "the schema registry refuses the schema of subject \"shop.public.orders-value\"");
    EXPECT_EQ(error().sqlstate, core::kInsufficientPrivilege);
    EXPECT_EQ(error().message,
              "schema is not registered under subject \"shop.public.orders-value\"");
    EXPECT_EQ(waiter_.waits, 0);
}

}  // namespace
}  // namespace bitvelocity::test
