// What medallion tells the workers, without knowing them: bitvelocity.cpp fills these in.
#pragma once

#include <cstdint>

namespace bitvelocity::medallion {

struct Listeners {
    // A dataset was made, changed or dropped in this transaction.
    void (*catalog_changed)() = nullptr;
    // Tasks that wait for this table are due at the commit of this transaction.
    void (*signal_at_commit)(std::uint32_t relation) = nullptr;
};

void SetListeners(const Listeners& listeners);
void CatalogChanged();
void TableChanged(std::uint32_t relation);

}  // namespace bitvelocity::medallion
