for (let [a, b] of Object.entries({x: `y${1n}`})) { label: if (/a(?<n>b)/u.test(a) && b?.c) continue; }
