"""What pages share: caches, model locks, and arrays -> charts. The only place with st.cache_* code."""
