import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { caisson } from './state/caisson.svelte';

const target = document.getElementById('app');
if (target) {
  mount(App, { target });
  caisson.start();
}
