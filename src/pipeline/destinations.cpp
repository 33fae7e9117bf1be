#include "pipeline/destinations.hpp"

#include <utility>

#include "pipeline/outbox.hpp"
#include "pipeline/topic.hpp"
#include "pipeline/transaction_events.hpp"

namespace bitvelocity::pipeline {

core::Result<const Destination*> Destinations::Find(const core::RelationSchema* relation,
                                                    const Outbox* outbox,
                                                    TransactionEvents* events) {
    const core::Oid oid = relation != nullptr ? relation->oid : 0;
    const std::uint32_t version = relation != nullptr ? relation->version : 0;
    const auto found = destinations_.find(oid);
    if (found != destinations_.end() && found->second.version == version) {
        return &found->second;
    }
    const TableShape* shape = relation != nullptr ? FindShape(shapes_, *relation) : nullptr;
    auto topic = MakeTopic(shape != nullptr && !shape->topic.empty() ? shape->topic : topic_,
                           source_, relation);
    if (!topic.ok()) {
        return topic.TakeStatus();
    }
    Destination& destination = destinations_[oid];
    destination.version = version;
    destination.topic = std::move(*topic);
    destination.outbox = relation != nullptr && outbox != nullptr && outbox->IsTable(*relation);
    if (events != nullptr) {
        destination.counted_as = events->AddTable(
            relation != nullptr ? relation->schema + "." + relation->name : "message");
    }
    if (relation != nullptr) {
        std::string name = relation->schema + "." + relation->name;
        // A number is never given to another table: messages under way carry it.
        if (destination.table == 0 || tables_[destination.table] != name) {
            destination.table = static_cast<std::uint32_t>(tables_.size());
            tables_.push_back(std::move(name));
        }
    }
    return &destination;
}

}  // namespace bitvelocity::pipeline
