// admin: what check-faults does to topics, without the seconds that a Java tool takes to start.
//
//   admin SERVERS create TOPIC [name=value ...]      one partition
//   admin SERVERS delete TOPIC
//   admin SERVERS configure TOPIC name=value ...
//   admin SERVERS deny PRINCIPAL TOPIC               writing; `admit` takes it back
//   admin SERVERS admit PRINCIPAL TOPIC
//
// Exit status 1 with the broker's answer on standard error.

#include <librdkafka/rdkafka.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kTimeoutMs = 20'000;
char g_text[512];

[[noreturn]] void Fail(const char* what) {
    (void)std::fprintf(stderr, "admin: %s\n", what);
    std::exit(1);
}

struct Setting {
    std::string name;
    std::string value;
};

Setting Split(const char* argument) {
    const char* equals = std::strchr(argument, '=');
    if (equals == nullptr) {
        Fail("name=value expected");
    }
    return {std::string(argument, equals), equals + 1};
}

void Check(rd_kafka_resp_err_t code, const char* text) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        Fail(text != nullptr ? text : rd_kafka_err2str(code));
    }
}

void CheckTopics(const rd_kafka_topic_result_t** results, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        Check(rd_kafka_topic_result_error(results[i]),
              rd_kafka_topic_result_error_string(results[i]));
    }
}

rd_kafka_AclBinding_t* Binding(char** arguments, bool filter) {
    const auto make = filter ? rd_kafka_AclBindingFilter_new : rd_kafka_AclBinding_new;
    rd_kafka_AclBinding_t* binding = make(
        RD_KAFKA_RESOURCE_TOPIC, arguments[1], RD_KAFKA_RESOURCE_PATTERN_LITERAL, arguments[0], "*",
        RD_KAFKA_ACL_OPERATION_WRITE, RD_KAFKA_ACL_PERMISSION_TYPE_DENY, g_text, sizeof(g_text));
    if (binding == nullptr) {
        Fail(g_text);
    }
    return binding;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        Fail("usage: admin SERVERS VERB NAME ...");
    }
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], g_text, sizeof(g_text));
    rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, g_text, sizeof(g_text));
    rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
    const std::string verb = argv[2];
    char** names = argv + 3;
    if (verb == "create") {
        rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(names[0], 1, 1, g_text, sizeof(g_text));
        for (int i = 4; i < argc; ++i) {
            const Setting setting = Split(argv[i]);
            rd_kafka_NewTopic_set_config(topic, setting.name.c_str(), setting.value.c_str());
        }
        rd_kafka_CreateTopics(client, &topic, 1, nullptr, queue);
    } else if (verb == "delete") {
        rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(names[0]);
        rd_kafka_DeleteTopics(client, &topic, 1, nullptr, queue);
    } else if (verb == "configure") {
        rd_kafka_ConfigResource_t* resource =
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, names[0]);
        for (int i = 4; i < argc; ++i) {
            const Setting setting = Split(argv[i]);
            rd_kafka_ConfigResource_set_config(resource, setting.name.c_str(),
                                               setting.value.c_str());
        }
        rd_kafka_AlterConfigs(client, &resource, 1, nullptr, queue);
    } else if (verb == "deny" && argc == 5) {
        rd_kafka_AclBinding_t* binding = Binding(names, false);
        rd_kafka_CreateAcls(client, &binding, 1, nullptr, queue);
    } else if (verb == "admit" && argc == 5) {
        rd_kafka_AclBinding_t* filter = Binding(names, true);
        rd_kafka_DeleteAcls(client, &filter, 1, nullptr, queue);
    } else {
        Fail("unknown verb");
    }
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kTimeoutMs);
    if (event == nullptr) {
        Fail("no answer");
    }
    Check(rd_kafka_event_error(event), rd_kafka_event_error_string(event));
    size_t count = 0;
    if (const auto* created = rd_kafka_event_CreateTopics_result(event); created != nullptr) {
        CheckTopics(rd_kafka_CreateTopics_result_topics(created, &count), count);
    }
    if (const auto* deleted = rd_kafka_event_DeleteTopics_result(event); deleted != nullptr) {
        CheckTopics(rd_kafka_DeleteTopics_result_topics(deleted, &count), count);
    }
    if (const auto* altered = rd_kafka_event_AlterConfigs_result(event); altered != nullptr) {
        const rd_kafka_ConfigResource_t** resources =
            rd_kafka_AlterConfigs_result_resources(altered, &count);
        Check(rd_kafka_ConfigResource_error(resources[0]),
              rd_kafka_ConfigResource_error_string(resources[0]));
    }
    if (const auto* acls = rd_kafka_event_CreateAcls_result(event); acls != nullptr) {
        const rd_kafka_acl_result_t** results = rd_kafka_CreateAcls_result_acls(acls, &count);
        const rd_kafka_error_t* error = rd_kafka_acl_result_error(results[0]);
        Check(rd_kafka_error_code(error), rd_kafka_error_string(error));
    }
    std::_Exit(0);
}
