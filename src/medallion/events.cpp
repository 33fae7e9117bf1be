#include "medallion/events.hpp"

namespace bitvelocity::medallion {

namespace {

Listeners registered;

}  // namespace

void SetListeners(const Listeners& listeners) {
    registered = listeners;
}

void CatalogChanged() {
    if (registered.catalog_changed != nullptr) {
        registered.catalog_changed();
    }
}

void TableChanged(std::uint32_t relation) {
    if (registered.signal_at_commit != nullptr) {
        registered.signal_at_commit(relation);
    }
}

}  // namespace bitvelocity::medallion
