#pragma once

#include <cstddef>
#include <string>

namespace pgcourier::cdc {

// What a string takes outside of itself.
inline std::size_t held_bytes(const std::string& text) {
  return text.capacity() > std::string().capacity() ? text.capacity() : 0;
}

}  // namespace pgcourier::cdc
