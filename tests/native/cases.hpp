// What the core's own test reads and writes: cases from a file (see export.py), and the outputs of a call.
#pragma once

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.h"

namespace unrolled {

struct Case {
    std::string name;
    std::map<std::string, Index> number;
    std::map<std::string, std::vector<char>> array;  // as it lies in memory; truth in double under "=name"

    Index operator[](const char* key) const { return number.at(key); }
    template <class T> const T* get(const std::string& key) const {
        const auto found = array.find(key);
        return found == array.end() ? nullptr : reinterpret_cast<const T*>(found->second.data());
    }
};

class Reader {
public:
    explicit Reader(const char* path) : file_(path, std::ios::binary) {
        if (!file_) throw std::runtime_error(std::string("cannot read ") + path);
    }
    std::vector<Case> cases() {
        std::vector<Case> all(static_cast<std::size_t>(integer()));
        for (Case& c : all) {
            c.name = text();
            for (Index n = integer(); n > 0; --n) {
                const std::string key = text();
                c.number[key] = integer();
            }
            for (Index n = integer(); n > 0; --n) {
                const std::string key = text();
                c.array[key] = bytes();
            }
        }
        return all;
    }

private:
    Index integer() {
        Index value;
        file_.read(reinterpret_cast<char*>(&value), sizeof value);
        if (!file_) throw std::runtime_error("the file of cases is cut short");
        return value;
    }
    std::vector<char> bytes() {
        std::vector<char> data(static_cast<std::size_t>(integer()));
        file_.read(data.data(), std::streamsize(data.size()));
        return data;
    }
    std::string text() {
        const std::vector<char> data = bytes();
        return {data.begin(), data.end()};
    }
    std::ifstream file_;
};

// --- what a call writes --------------------------------------------------------------------------------------

enum Layout { plain, batch_first, half };  // half: beside another direction's features

// [T, B, features] in one of the layouts.
template <class Real> Rows<Real> rows_of(Real* data, Index T, Index B, Index features, Layout layout) {
    if (layout == batch_first) return {data, features, T * features};
    if (layout == half) return {data + features, B * 2 * features, 2 * features};
    return {data, B * features, features};
}

// A call's outputs by name, and the numbers in them apart from their layout.
template <class Real> class Outputs {
public:
    Real* flat(const std::string& name, Index n) {
        return (memory_[name] = std::vector<Real>(std::size_t(n), kNothing)).data();
    }
    Rows<Real> rows(const std::string& name, Index T, Index B, Index features, Layout layout) {
        Real* const data = flat(name, T * B * features * (layout == half ? 2 : 1));
        return strided_[name] = {rows_of(data, T, B, features, layout), T, B, features}, strided_[name].rows;
    }
    // Takes the strided arrays out of their layout; false where anything beside them was written.
    bool unravel() {
        for (const auto& [name, s] : strided_) {
            std::vector<Real> values;
            for (Index t = 0; t < s.T; ++t)
                for (Index b = 0; b < s.B; ++b)
                    for (Index k = 0; k < s.features; ++k) {
                        values.push_back(s.rows.at(t, b)[k]);
                        s.rows.at(t, b)[k] = kNothing;
                    }
            for (const Real rest : memory_[name])
                if (!std::isnan(rest)) return false;
            memory_[name] = values;
        }
        strided_.clear();
        return true;
    }
    const std::map<std::string, std::vector<Real>>& all() const { return memory_; }

private:
    static constexpr Real kNothing = std::numeric_limits<Real>::quiet_NaN();
    struct Strided {
        Rows<Real> rows;
        Index T, B, features;
    };
    std::map<std::string, std::vector<Real>> memory_;
    std::map<std::string, Strided> strided_;
};

}  // namespace unrolled
