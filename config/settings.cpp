#include "config/settings.hpp"

namespace pgcourier::config {

const std::string& id_of(const SinkSettings& sink) {
  return std::visit([](const auto& settings) -> const std::string& { return settings.id; }, sink);
}

}  // namespace pgcourier::config
