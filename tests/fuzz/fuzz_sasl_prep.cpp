// Any password: prepared once, it stays.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/sasl_prep.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pgcourier::protocol::sasl_prep;
  const auto once = sasl_prep({reinterpret_cast<const char*>(data), size});
  if (sasl_prep(once) != once) std::abort();
  return 0;
}
